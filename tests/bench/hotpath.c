/*
 * hotpath: the Prober's engine with nothing around it.  Time is simulated and
 * the network is a function in this file, so that a run is the same each time,
 * to the instruction, and needs neither privileges nor a network.
 *
 *	hotpath [-h MIN-MAX] ADDRESSES PPS RTT-MS WINDOW COMMAND...	e.g.
 *	hotpath addresses 100000 50 0 trace -P udp-paris
 *
 * Real are: the loop turn, admission, window, timeouts, pacer, the technique,
 * building and parsing packets, transmit queue, records to /dev/null.  Not
 * there: the kernel (sendto is answered here), the receive ring, routes, and
 * libevent, whose calls end here as well: an event is a time.
 *
 *	engine ── tx.c ── sendto() ─► answer ─► replies[] ── rx_poll() ─► engine
 *	   └── event_add(timer) ─► due_ns ─► loop ─► hotpath_turn()
 *
 * Paths have 5 to 30 hops (-h: MIN to MAX); three quarters of the hosts and one
 * router in sixteen are silent, decided by a hash of the address.
 *
 * Prints probes, replies, records, turns, processor nanoseconds per probe
 * (without those of the answers), the most traces in progress, and the bytes
 * of memory for each of these: the growth of what is resident, and what of it is
 * tasks, blocks of their logs, the index, rings; the rest is the queue of commands,
 * unused parts of chunks and what the allocator needs.  Under callgrind, what is
 * counted is chosen with --toggle-collect=hotpath_turn --toggle-collect=sendto.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "prober/output.h"
#include "prober/source/source.h"

#define WALL_NS (1700000000 * NS_PER_SEC)
#define LATE_NS (60 * NS_PER_US) /* of a wake-up */
#define RETIRE_NS (4 * NS_PER_MS) /* of a block of the ring */
#define REPLY_MAX 128
#define QUEUE_COMMANDS 65536

struct reply_packet {
	int64_t at_ns;
	uint16_t len;
	uint8_t b[REPLY_MAX];
};

static struct engine engine;
static int64_t now_ns = NS_PER_SEC, rtt_ns;
static int64_t answers_ns; /* spent in answer() */
static uint32_t hops_min = 5, hops_max = 30, most_active;

/* --- the clock -------------------------------------------------------------- */

int64_t
clock_mono_ns(void)
{
	return now_ns;
}

int64_t
clock_wall_ns(void)
{
	return WALL_NS + now_ns;
}

int
clock_nanosleep(clockid_t clock, int flags, const struct timespec *until,
    struct timespec *left)
{
	int64_t until_ns = until->tv_sec * NS_PER_SEC + until->tv_nsec;

	(void)clock;
	(void)flags;
	(void)left;
	if (now_ns < until_ns)
		now_ns = until_ns + LATE_NS;
	return 0;
}

/* --- the network: a FIFO of replies, since all take the same time ------------ */

static struct reply_packet *replies;
static size_t replies_size, replies_head, replies_count;

static struct reply_packet *
reply_new(void)
{
	size_t i = (replies_head + replies_count) % replies_size;

	if (replies_count == replies_size)
		log_fatal(EXIT_PERMANENT, "more replies than expected");
	replies_count++;
	replies[i].at_ns = now_ns + rtt_ns;
	return &replies[i];
}

static uint32_t
mix(uint32_t x)
{
	x = (x ^ x >> 16) * 0x7feb352d;
	x = (x ^ x >> 15) * 0x846ca68b;
	return x ^ x >> 16;
}

/* What is the same and what is not in the two families. */
static const struct family {
	uint8_t header, ttl, proto, src, dst, addr_len;
	uint8_t icmp, quote;
	uint8_t exceeded, unreach, unreach_code, echo_reply;
} family4 = {20, 8, 9, 12, 16, 4, IPPROTO_ICMP, 28, 11, 3, 3, 0},
  family6 = {40, 7, 6, 8, 24, 16, IPPROTO_ICMPV6, 52, 3, 1, 4, 129};

static uint32_t
hash_destination(const struct family *f, const uint8_t *p)
{
	uint32_t h = 0, word;

	for (int i = 0; i < f->addr_len; i += 4) {
		memcpy(&word, p + f->dst + i, 4);
		h = mix(h ^ word);
	}
	return h;
}

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The IP header of a reply from the router at TTL, or the target (TTL 0). */
static void
put_header(const struct family *f, const uint8_t *probe, uint8_t *b, int ttl)
{
	memset(b, 0, f->header);
	b[f->ttl] = 60;
	b[f->proto] = f->icmp;
	memcpy(b + f->src, probe + f->dst, f->addr_len);
	memcpy(b + f->dst, probe + f->src, f->addr_len);
	if (ttl > 0)
		b[f->src + 1] = (uint8_t)(100 + ttl);
}

static void
answer(const uint8_t *p, size_t len)
{
	const struct family *f = p[0] >> 4 == 4 ? &family4 : &family6;
	uint32_t h = hash_destination(f, p);
	int hops = (int)(hops_min + h % (hops_max - hops_min + 1));
	int ttl = p[f->ttl], end = ttl >= hops;
	struct reply_packet *r;
	uint8_t *icmp;

	if (end ? h >> 30 != 0 : mix(h + (uint32_t)ttl) % 16 == 0)
		return; /* silent */
	r = reply_new();
	put_header(f, p, r->b, end ? 0 : ttl);
	icmp = r->b + f->header;
	if (end && p[f->proto] == f->icmp) {
		memcpy(icmp, p + f->header, len - f->header);
		icmp[0] = f->echo_reply;
		r->len = (uint16_t)len;
	} else {
		memset(icmp, 0, 8);
		icmp[0] = end ? f->unreach : f->exceeded;
		icmp[1] = end ? f->unreach_code : 0;
		memcpy(icmp + 8, p, f->quote);
		icmp[8 + f->ttl] = 1;
		r->len = (uint16_t)(f->header + 8 + f->quote);
	}
	if (f == &family4) {
		r->b[0] = 0x45;
		put16(r->b + 2, r->len);
	} else {
		r->b[0] = 0x60;
		put16(r->b + 4, r->len - 40u);
	}
}

/* Real time, of processor or clock. */
static int64_t
spent_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

__attribute__((noipa)) ssize_t
sendto(int fd, const void *packet, size_t len, int flags,
    __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	int64_t ns = spent_ns(CLOCK_MONOTONIC);

	(void)fd;
	(void)flags;
	(void)to;
	(void)to_len;
	answer(packet, len);
	answers_ns += spent_ns(CLOCK_MONOTONIC) - ns;
	return (ssize_t)len;
}

/* The sockets of tx.c. */
int
socket(int domain, int type, int protocol)
{
	(void)domain;
	(void)type;
	(void)protocol;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

int
rx_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	int n = 0;

	(void)rx;
	while (replies_count > 0 && n < budget) {
		struct reply_packet *r = &replies[replies_head];

		if (r->at_ns > now_ns)
			break;
		replies_head = (replies_head + 1) % replies_size;
		replies_count--;
		n++;
		cb(arg, r->b, r->len, WALL_NS + r->at_ns);
	}
	return n;
}

int
rx_fd(const struct rx *rx)
{
	(void)rx;
	return 1000;
}

uint64_t
rx_drops(struct rx *rx)
{
	(void)rx;
	return 0;
}

/* --- one path to everywhere, by family ---------------------------------------- */

struct link_path *
link_lookup_by(struct link *l, const struct addr *dst,
    const struct technique_route *r, const char **why)
{
	(void)r;
	return link_lookup(l, dst, why);
}

struct link_path *
link_lookup(struct link *l, const struct addr *dst, const char **why)
{
	static struct link_path paths[2];
	static const uint8_t us4[4] = {192, 0, 2, 1};
	static const uint8_t us6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
	struct link_path *p = &paths[dst->family == ADDR_IPV6];

	(void)l;
	(void)why;
	if (p->ifindex == 0) {
		p->ifindex = 2;
		p->mtu = 1500;
		p->mac_len = 6;
		p->src = addr_make(
		    dst->family, dst->family == ADDR_IPV4 ? us4 : us6);
		p->next_hop = p->src;
	}
	return p;
}

uint8_t
link_epoch(const struct link *l)
{
	(void)l;
	return 0;
}

struct link_path *
link_follow(struct link *l, struct link_path *old, const struct addr *dst)
{
	(void)l;
	(void)dst;
	return old;
}

int
link_fd(const struct link *l)
{
	(void)l;
	return 1001;
}

void
link_changed(struct link *l)
{
	(void)l;
}

/* --- libevent ------------------------------------------------------------------- */

struct event {
	event_callback_fn cb;
	void *arg;
	int used, added;
	int64_t due_ns; /* the timer's */
};

static struct event timer, ring; /* and what is never ready: */
static struct event deaf;
static int over;

struct event *
event_new(struct event_base *b, evutil_socket_t fd, short what,
    event_callback_fn cb, void *arg)
{
	struct event *ev = &deaf;

	(void)b;
	(void)what;
	if (fd == -1)
		ev = &timer;
	else if (fd == rx_fd(NULL))
		ev = &ring;
	*ev = (struct event){.cb = cb, .arg = arg};
	return ev;
}

int
event_add(struct event *ev, const struct timeval *tv)
{
	ev->added = 1;
	if (tv != NULL)
		ev->due_ns =
		    now_ns + tv->tv_sec * NS_PER_SEC + tv->tv_usec * NS_PER_US;
	return 0;
}

int
event_del(struct event *ev)
{
	ev->added = 0;
	return 0;
}

void
event_free(struct event *ev)
{
	ev->added = 0;
}

int
event_base_loopbreak(struct event_base *b)
{
	(void)b;
	over = 1;
	return 0;
}

/* --- the loop --------------------------------------------------------------------- */

void hotpath_turn(struct event *ev);

/* A function of its own, for callgrind to see; sendto() likewise. */
__attribute__((noipa)) void
hotpath_turn(struct event *ev)
{
	ev->cb(-1, EV_TIMEOUT, ev->arg);
}

static void
loop(void)
{
	int64_t at_ns, due_ns;
	struct event *ev;

	while (!over) {
		ev = &timer;
		due_ns = timer.due_ns;
		if (ring.added && replies_count > 0) {
			at_ns = replies[replies_head].at_ns + RETIRE_NS;
			if (at_ns < due_ns) {
				ev = &ring;
				due_ns = at_ns;
			}
		}
		if (due_ns > now_ns)
			now_ns = due_ns + LATE_NS;
		hotpath_turn(ev);
		if (engine.window.count > most_active)
			most_active = engine.window.count;
	}
}

/* Resident memory, in bytes. */
static uint64_t
resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%*u %lu", &pages) != 1)
		log_fatal(EXIT_PERMANENT, "/proc/self/statm");
	fclose(f);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void
prepare(struct engine *e, char **argv, const char *command)
{
	static const struct output_config oc = {
	    .path = "/dev/null", .format = "warts"};
	struct output_cycle cycle = {.name = "hotpath"};
	struct measurement *m;
	struct listcycle *lc;
	uint32_t pps, rtt_ms, window;
	char why[256];

	if (scan_u32(argv[2], 1, 10000000, &pps) == -1 ||
	    scan_u32(argv[3], 0, 100000, &rtt_ms) == -1 ||
	    scan_u32(argv[4], 0, 10000000, &window) == -1)
		log_fatal(EXIT_PERMANENT, "bad number");
	rtt_ns = rtt_ms * NS_PER_MS;
	replies_size = (size_t)pps * (rtt_ms + 300) / 1000 + 10000;
	replies = xcalloc(replies_size, sizeof(*replies));
	/* Ours, not the Prober's. */
	memset(replies, 1, replies_size * sizeof(*replies));
	m = technique_parse(command, NULL, why, sizeof(why));
	if (m == NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s", command, why);
	window_init(&e->window, window);
	pacer_init(&e->pacer, pps);
	cmdqueue_init(&e->admit.queue, QUEUE_COMMANDS);
	e->admit.hold = hold_new(5 * NS_PER_SEC);
	e->admit.window = &e->window;
	TAILQ_INIT(&e->admit.table);
	e->tx = tx_open(0, &(const char *){NULL});
	lc = listcycle_add(&e->admit.table, 1, 1, m);
	e->source = file_new(e, lc, argv[1], 0);
	e->out = output_open(&oc, now_ns);
	lc->out = output_cycle_begin(e->out, &cycle);
}

/* Where the MEMORY, in bytes, of N traces is.  All of this stays as large as it
 * was at most. */
static void
print_account(const struct window *w, double memory, uint32_t n)
{
	double tasks = (double)w->tasks.end * w->tasks.size;
	double blocks = (double)w->blocks.end * w->blocks.size;
	double index = (double)w->nslots * sizeof(*w->slots);
	double rings = (double)(w->ready.size + w->done.size);

	for (int i = 0; i < w->timeout.n; i++)
		rings += w->timeout.classes[i].fifo.size;
	rings *= sizeof(*w->ready.ring);
	printf("bytes/trace %.0f: tasks %.0f blocks %.0f index %.0f rings %.0f "
	       "rest %.0f\n",
	    memory / n, tasks / n, blocks / n, index / n, rings / n,
	    (memory - tasks - blocks - index - rings) / n);
}

/* "-h MIN-MAX" before all else: how many words that were. */
static int
option(int argc, char **argv)
{
	char *dash;

	if (argc < 3 || strcmp(argv[1], "-h") != 0)
		return 0;
	dash = strchr(argv[2], '-');
	if (dash == NULL)
		log_fatal(EXIT_PERMANENT, "-h needs MIN-MAX");
	*dash = '\0';
	if (scan_u32(argv[2], 1, 250, &hops_min) == -1 ||
	    scan_u32(dash + 1, hops_min, 250, &hops_max) == -1)
		log_fatal(EXIT_PERMANENT, "bad number of hops");
	return 2;
}

int
main(int argc, char **argv)
{
	struct engine *e = &engine;
	char command[256] = "";
	uint64_t memory;
	struct rusage ru;
	int64_t ns;
	int n;

	log_init("hotpath", 0, 0);
	n = option(argc, argv);
	argc -= n;
	argv += n;
	if (argc < 6)
		log_fatal(EXIT_PERMANENT,
		    "usage: hotpath [-h MIN-MAX] ADDRESSES PPS RTT-MS WINDOW "
		    "COMMAND...");
	for (int i = 5; i < argc; i++) {
		strncat(
		    command, argv[i], sizeof(command) - 2 - strlen(command));
		strcat(command, " ");
	}
	prepare(e, argv, command);
	engine_start(e);
	memory = resident();
	ns = spent_ns(CLOCK_PROCESS_CPUTIME_ID);
	loop();
	ns = spent_ns(CLOCK_PROCESS_CPUTIME_ID) - ns - answers_ns;
	getrusage(RUSAGE_SELF, &ru);
	output_close(e->out, now_ns, 0);
	printf("probes %ju replies %ju records %ju turns %ju ns/probe %.1f "
	       "active %u\n",
	    (uintmax_t)e->stats.sent, (uintmax_t)e->stats.received,
	    (uintmax_t)e->stats.recorded, (uintmax_t)e->stats.turns,
	    (double)ns / (double)e->stats.sent, most_active);
	print_account(&e->window, (double)ru.ru_maxrss * 1024 - (double)memory,
	    most_active);
	return EXIT_DONE;
}
