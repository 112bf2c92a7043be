#include "common/gate.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/sockaddr.h"
#include "common/xmalloc.h"

#define GUESTS_MAX 1024
#define ACCEPT_PER_S 1000
#define ACCEPT_TICK_MS 20 /* accepts come in portions of so long */
#define ACCEPT_PER_TICK (ACCEPT_PER_S * ACCEPT_TICK_MS / 1000)
#define HANDSHAKE_NS (5 * NS_PER_SEC)
#define SPARE_FDS 128 /* for everything but guests */
#define SAID_MAX 64 /* refusals remembered */
#define SAID_LEN 160
#define SAID_NS (60 * NS_PER_SEC)

/* A connection in its handshake. */
struct guest {
	struct gate *gate;
	struct tls_shake *shake;
	char from[GATE_FROM_LEN];
	struct guest *older, *newer;
};

/* A refusal that was logged, and how often it came again since. */
struct said {
	char text[SAID_LEN];
	int64_t at_ns;
	unsigned int more;
};

struct gate {
	struct gate_config cfg;
	struct event *ev_accept, *tick;
	struct guest *oldest, *newest;
	unsigned int nguests, guests_max;
	unsigned int accepted; /* in this tick */
	int64_t tick_ns; /* begin of this tick */
	struct said said[SAID_MAX];
	unsigned int unsaid; /* refusals when all of those were fresh */
};

/* --- logging --------------------------------------------------------------- */

static void
say_more(struct said *s)
{
	if (s->more > 0)
		log_warn("%s (%u times more)", s->text, s->more);
	s->more = 0;
}

static void
log_refusal(struct gate *g, const char *from, const char *why)
{
	char text[SAID_LEN];
	int64_t now = clock_mono_ns();
	struct said *s, *victim = &g->said[0];

	snprintf(text, sizeof(text), "%s is refused: %s", from, why);
	for (s = g->said; s < g->said + SAID_MAX; s++) {
		if (strcmp(s->text, text) == 0 && now - s->at_ns < SAID_NS) {
			s->more++;
			return;
		}
		if (s->at_ns < victim->at_ns)
			victim = s;
	}
	if (victim->text[0] != '\0' && now - victim->at_ns < SAID_NS) {
		g->unsaid++;
		return;
	}
	if (g->unsaid > 0)
		log_warn("%u more refusals of many", g->unsaid);
	g->unsaid = 0;
	say_more(victim);
	memcpy(victim->text, text, sizeof(text));
	victim->at_ns = now;
	log_warn("%s", text);
}

/* --- guests ---------------------------------------------------------------- */

static void
guest_free(struct guest *gu)
{
	struct gate *g = gu->gate;

	if (gu->older != NULL)
		gu->older->newer = gu->newer;
	else
		g->oldest = gu->newer;
	if (gu->newer != NULL)
		gu->newer->older = gu->older;
	else
		g->newest = gu->older;
	g->nguests--;
	tls_shake_free(gu->shake);
	free(gu);
}

static void
drop_oldest(struct gate *g)
{
	log_refusal(g, g->oldest->from,
	    "handshake not finished when others needed its place");
	guest_free(g->oldest);
}

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	struct guest *gu = arg;
	struct gate *g = gu->gate;
	struct gate_peer peer = {.fd = fd, .conn = conn};

	gu->shake = NULL;
	memcpy(peer.from, gu->from, sizeof(peer.from));
	guest_free(gu);
	if (conn == NULL)
		log_refusal(g, peer.from, why);
	else
		g->cfg.arrived(g->cfg.arg, &peer);
}

static void
guest_new(struct gate *g, int fd, const char *from)
{
	struct guest *gu;

	if (g->nguests == g->guests_max)
		drop_oldest(g);
	gu = xcalloc(1, sizeof(*gu));
	gu->gate = g;
	snprintf(gu->from, sizeof(gu->from), "%s", from);
	gu->older = g->newest;
	if (g->newest != NULL)
		g->newest->newer = gu;
	else
		g->oldest = gu;
	g->newest = gu;
	g->nguests++;
	gu->shake = tls_shake_new(&(struct tls_shake_config){
	    .base = g->cfg.base,
	    .tls = g->cfg.tls,
	    .fd = fd,
	    .accept = 1,
	    .deadline_ns = HANDSHAKE_NS,
	    .done = on_shaken,
	    .arg = gu,
	});
}

/* --- accepting ------------------------------------------------------------- */

static void
print_from(const union sockaddr_any *sa, char *buf)
{
	struct addr a = sockaddr_addr(sa, NULL);
	char text[ADDR_STRLEN];

	snprintf(buf, GATE_FROM_LEN, "%s",
	    a.family == ADDR_NONE ? "local" : addr_str(&a, text));
}

static void
arrive(struct gate *g, int fd, const union sockaddr_any *sa)
{
	struct gate_peer peer = {.fd = fd};
	int on = 1;

	print_from(sa, peer.from);
	if (sa->sa.sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (g->cfg.tls != NULL)
		guest_new(g, fd, peer.from);
	else
		g->cfg.arrived(g->cfg.arg, &peer);
}

static void
pause_until_next_tick(struct gate *g)
{
	static const struct timeval tick = {0, ACCEPT_TICK_MS * 1000};

	event_del(g->ev_accept);
	if (event_add(g->tick, &tick) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* 1 when there may be more. */
static int
accept_one(struct gate *g)
{
	union sockaddr_any sa = {.sa = {.sa_family = AF_UNIX}};
	socklen_t len = sizeof(sa);
	int fd = accept4(
	    g->cfg.listener, &sa.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd != -1) {
		arrive(g, fd, &sa);
		return 1;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return 0;
	log_refusal(g, "a connection", strerror(errno));
	if ((errno == EMFILE || errno == ENFILE) && g->oldest != NULL)
		drop_oldest(g);
	pause_until_next_tick(g);
	return 0;
}

static void
on_accept(int fd, short what, void *arg)
{
	struct gate *g = arg;
	int64_t now = clock_mono_ns();

	(void)fd;
	(void)what;
	if (now - g->tick_ns >= ACCEPT_TICK_MS * NS_PER_MS) {
		g->tick_ns = now;
		g->accepted = 0;
	}
	while (g->accepted++ < ACCEPT_PER_TICK) {
		if (!accept_one(g))
			return;
	}
	pause_until_next_tick(g);
}

static void
on_tick(int fd, short what, void *arg)
{
	struct gate *g = arg;

	(void)fd;
	(void)what;
	g->accepted = 0;
	g->tick_ns = clock_mono_ns();
	if (event_add(g->ev_accept, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
}

/* How many guests there is room for among the open files. */
static unsigned int
raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return 1;
	if (rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
		getrlimit(RLIMIT_NOFILE, &rl);
	}
	if (rl.rlim_cur >= GUESTS_MAX * 2 + SPARE_FDS)
		return GUESTS_MAX;
	if (rl.rlim_cur <= SPARE_FDS + 2)
		return 1;
	return (unsigned int)(rl.rlim_cur - SPARE_FDS) / 2;
}

struct tls *
gate_key(const char *path)
{
	const char *why;
	struct tls *t = tls_new(path, &why);

	if (t == NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s", path, why);
	return t;
}

int
gate_listen(const char *address)
{
	const char *why;
	int fd = chan_listen(address, &why);

	if (fd == -1)
		log_fatal(prog_exit_code(errno), "%s: %s: %s", address, why,
		    strerror(errno));
	return fd;
}

struct gate *
gate_new(const struct gate_config *cfg)
{
	struct gate *g = xcalloc(1, sizeof(*g));

	g->cfg = *cfg;
	g->guests_max = raise_limit();
	g->ev_accept = event_new(
	    cfg->base, cfg->listener, EV_READ | EV_PERSIST, on_accept, g);
	g->tick = event_new(cfg->base, -1, 0, on_tick, g);
	if (g->ev_accept == NULL || g->tick == NULL ||
	    event_add(g->ev_accept, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
	return g;
}

void
gate_free(struct gate *g)
{
	if (g == NULL)
		return;
	while (g->oldest != NULL)
		guest_free(g->oldest);
	for (int i = 0; i < SAID_MAX; i++)
		say_more(&g->said[i]);
	event_free(g->ev_accept);
	event_free(g->tick);
	free(g);
}

void
gate_refuse(
    struct gate *g, struct gate_peer *peer, const char *code, const char *text)
{
	char line[256];

	snprintf(line, sizeof(line), "err %s %.200s\n", code, text);
	log_refusal(g, peer->from, text);
	chan_refuse(
	    peer->fd, peer->conn == NULL ? NULL : &peer->conn->io, line);
}

void
gate_refuse_key(struct gate *g, struct gate_peer *peer)
{
	char text[TLS_PIN_STRLEN + 60], pin[TLS_PIN_STRLEN];

	snprintf(text, sizeof(text), "key %s is not admitted",
	    tls_pin_str(&peer->conn->pin, pin));
	gate_refuse(
	    g, peer, "denied", peer->conn->has_pin ? text : "no key was shown");
}
