#include "dataserver/dataserver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include "common/chan.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define HANDSHAKE_NS (15 * NS_PER_SEC) /* with the connection */
#define NEXT_NS (NS_PER_SEC / 4) /* to the next host of a round */
#define BACKOFF_MIN_NS (1 * NS_PER_SEC)
#define BACKOFF_MAX_NS (300 * NS_PER_SEC)
#define SAID_LEN 160

/* What was last logged about a host, so that a trouble is logged once. */
struct host {
	char said[SAID_LEN];
};

struct dial {
	struct server *srv;
	char **addresses;
	struct host *hosts; /* one per address */
	size_t count, at;
	int64_t backoff_ns; /* after the round; 0: the last one went well */
	struct tls_shake *shake;
	struct event *timer;
};

/* NS, a quarter more or less: hosts do not come all at once. */
static void
wait_about(struct dial *d, int64_t ns)
{
	uint32_t r = UINT32_MAX / 2;
	struct timeval tv;

	if (getrandom(&r, sizeof(r), 0) == -1)
		r = UINT32_MAX / 2;
	ns = ns - ns / 4 + (int64_t)((double)ns / 2 * r / UINT32_MAX);
	tv.tv_sec = ns / NS_PER_SEC;
	tv.tv_usec = ns % NS_PER_SEC / NS_PER_US;
	if (event_add(d->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* On to the next host; behind the last a pause, longer each round. */
static void
next_host(struct dial *d)
{
	if (++d->at < d->count) {
		wait_about(d, NEXT_NS);
		return;
	}
	d->at = 0;
	if (d->backoff_ns == 0)
		d->backoff_ns = BACKOFF_MIN_NS;
	else if (d->backoff_ns < BACKOFF_MAX_NS / 2)
		d->backoff_ns *= 2;
	else
		d->backoff_ns = BACKOFF_MAX_NS;
	wait_about(d, d->backoff_ns);
}

static void
trouble(struct dial *d, const char *text)
{
	struct host *h = &d->hosts[d->at];

	if (strncmp(h->said, text, SAID_LEN - 1) == 0)
		return;
	snprintf(h->said, sizeof(h->said), "%s", text);
	log_warn("%s: %s", d->addresses[d->at], text);
}

static void
on_session_ended(void *arg, unsigned int poll_s)
{
	struct dial *d = arg;

	if (poll_s == 0) {
		next_host(d);
		return;
	}
	d->hosts[d->at].said[0] = '\0';
	/* The first that is listed is the first that is wanted. */
	d->at = 0;
	d->backoff_ns = 0;
	wait_about(d, poll_s * NS_PER_SEC);
}

static void
refuse(struct dial *d, int fd, struct tls_conn *conn)
{
	char pin[TLS_PIN_STRLEN], text[SAID_LEN];

	snprintf(text, sizeof(text), "its key is not in the peers file: %s",
	    tls_pin_str(&conn->pin, pin));
	trouble(d, text);
	chan_refuse(fd, &conn->io, "err denied your key is not known here\n");
	next_host(d);
}

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	struct dial *d = arg;
	struct session_config cfg = {
	    .fd = fd, .ended = on_session_ended, .arg = d};

	d->shake = NULL;
	if (conn == NULL) {
		trouble(d, why);
		next_host(d);
		return;
	}
	cfg.io = &conn->io;
	cfg.peer = tls_peers_who(&d->srv->peers, conn);
	if (cfg.peer == NULL)
		refuse(d, fd, conn);
	else if (session_new(d->srv, &cfg) == -1) {
		chan_refuse(fd, cfg.io, "err busy too many sessions\n");
		next_host(d);
	}
}

static void
on_timer(int unused, short what, void *arg)
{
	struct dial *d = arg;
	const char *why;
	int fd = chan_connect(d->addresses[d->at], &why);
	char text[SAID_LEN];

	(void)unused;
	(void)what;
	if (fd == -1) {
		snprintf(text, sizeof(text), "%s: %s", why, strerror(errno));
		trouble(d, text);
		next_host(d);
		return;
	}
	d->shake = tls_shake_new(&(struct tls_shake_config){
	    .base = d->srv->base,
	    .tls = d->srv->tls,
	    .fd = fd,
	    .deadline_ns = HANDSHAKE_NS,
	    .done = on_shaken,
	    .arg = d,
	});
}

struct dial *
dial_new(struct server *srv, char **addresses, size_t count)
{
	struct dial *d = xcalloc(1, sizeof(*d));

	d->srv = srv;
	d->addresses = addresses;
	d->count = count;
	d->hosts = xcalloc(count, sizeof(*d->hosts));
	d->timer = event_new(srv->base, -1, 0, on_timer, d);
	if (d->timer == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	wait_about(d, 0);
	return d;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	tls_shake_free(d->shake);
	event_free(d->timer);
	free(d->hosts);
	free(d);
}
