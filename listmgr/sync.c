#include "listmgr/sync_own.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/chan.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define HANDSHAKE_NS (15 * NS_PER_SEC) /* with the connection */
#define BACKOFF_MIN_NS (1 * NS_PER_SEC)
#define BACKOFF_MAX_NS (300 * NS_PER_SEC)

/* --- timers --------------------------------------------------------------- */

/* NS, a quarter more or less: monitors do not come all at once. */
int64_t
sync_jitter(int64_t ns)
{
	uint32_t r = UINT32_MAX / 2;

	if (getrandom(&r, sizeof(r), 0) == -1)
		r = UINT32_MAX / 2;
	return ns - ns / 4 + (int64_t)((double)ns / 2 * r / UINT32_MAX);
}

void
sync_set_timer(struct event *e, int64_t ns)
{
	struct timeval tv = {
	    .tv_sec = ns / NS_PER_SEC, .tv_usec = ns % NS_PER_SEC / NS_PER_US};

	if (event_add(e, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

const struct settings_server *
sync_server(const struct sync *s)
{
	return &s->cfg.settings->servers[s->server];
}

/* --- troubles ------------------------------------------------------------- */

static void
trouble(struct sync *s, const char *text)
{
	char all[sizeof(s->said)];

	snprintf(all, sizeof(all), "%s: %s", sync_server(s)->address, text);
	s->news.errors++;
	snprintf(s->news.error, sizeof(s->news.error), "%s", text);
	if (strcmp(all, s->said) == 0)
		return;
	strcpy(s->said, all);
	log_warn("%s", all);
}

/* --- sessions end --------------------------------------------------------- */

static void
drop_session(struct sync *s)
{
	sync_talk_drop(s);
	tls_shake_free(s->shake);
	s->shake = NULL;
	chan_free(s->chan);
	s->chan = NULL;
	sync_fetch_clear(&s->fetch);
}

/* This server is out of the question for now: the next one; behind the last a
 * pause, longer each time. */
void
sync_give_up(struct sync *s, const char *why)
{
	if (why != NULL)
		trouble(s, why);
	drop_session(s);
	if (++s->server < s->cfg.settings->nservers) {
		sync_set_timer(s->timer, 0);
		return;
	}
	s->server = 0;
	if (s->backoff_ns == 0)
		s->backoff_ns = BACKOFF_MIN_NS;
	else if (s->backoff_ns < BACKOFF_MAX_NS)
		s->backoff_ns *= 2;
	sync_set_timer(s->timer, sync_jitter(s->backoff_ns));
}

/* --- connecting ----------------------------------------------------------- */

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	char pin[TLS_PIN_STRLEN], text[TLS_PIN_STRLEN + 60];
	struct sync *s = arg;

	s->shake = NULL;
	if (conn == NULL) {
		sync_give_up(s, why);
	} else if (!conn->has_pin ||
	    !tls_pin_equal(&conn->pin, &sync_server(s)->pin)) {
		snprintf(text, sizeof(text), "its key is %s",
		    conn->has_pin ? tls_pin_str(&conn->pin, pin) : "not shown");
		chan_refuse(
		    fd, &conn->io, "err denied your key is not known here\n");
		sync_give_up(s, text);
	} else {
		sync_talk(s, fd, conn);
	}
}

static void
on_timer(int unused, short what, void *arg)
{
	struct sync *s = arg;
	const char *why;
	int fd = chan_connect(sync_server(s)->address, &why);

	(void)unused;
	(void)what;
	if (fd == -1) {
		sync_give_up(s, why);
		return;
	}
	s->shake = tls_shake_new(&(struct tls_shake_config){
	    .base = s->cfg.base,
	    .tls = s->cfg.tls,
	    .fd = fd,
	    .deadline_ns = HANDSHAKE_NS,
	    .done = on_shaken,
	    .arg = s,
	});
}

/* --- the rest ------------------------------------------------------------- */

void
sync_look(struct sync *s)
{
	struct limits l;
	int was_on = s->limits.state == LIMITS_ON, on;

	limits_judge(
	    &l, s->cfg.store, clock_wall_ns() / NS_PER_SEC, s->checked_s);
	on = l.state == LIMITS_ON;
	if (l.state != s->limits.state)
		log_warn("probing: %s%s%s", limits_word(l.state),
		    l.reason[0] != '\0' ? ": " : "", l.reason);
	s->limits = l;
	if (limits_write(s->cfg.settings, &l, s->cfg.store, s->failed))
		s->cfg.ops->tell_prober(s->cfg.arg);
	if (on != was_on)
		s->cfg.ops->probing(s->cfg.arg, on);
}

void
sync_now(struct sync *s)
{
	drop_session(s);
	s->server = 0;
	s->backoff_ns = 0;
	sync_set_timer(s->timer, 0);
}

struct sync *
sync_new(const struct sync_config *cfg)
{
	struct sync *s = xcalloc(1, sizeof(*s));

	s->cfg = *cfg;
	s->fd = -1;
	s->fetch.store = cfg->store;
	s->news.start_ns = cfg->roster->host.now_ns;
	s->checked_s = s->stored_s = store_checked(cfg->store);
	s->limits.state = LIMITS_EXPIRED;
	s->timer = evtimer_new(cfg->base, on_timer, s);
	s->slow = evtimer_new(cfg->base, sync_talk_slow, s);
	if (s->timer == NULL || s->slow == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
	sync_set_timer(s->timer, 0);
	/* What is stored runs before anybody is asked. */
	sync_look(s);
	return s;
}

void
sync_free(struct sync *s)
{
	if (s == NULL)
		return;
	drop_session(s);
	event_free(s->timer);
	event_free(s->slow);
	free(s);
}
