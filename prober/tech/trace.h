/*
 * trace: what the files of the trace technique share.
 *
 *	trace.c			what to send next, when to stop
 *	trace_options.c		what may be asked for
 *	trace_probe.c		a probe, and which one a reply is an answer to
 *	trace_store.c		what is remembered of a trace in progress
 *	trace_loop.c		have we been here before?
 *	trace_record.c		the finished trace as a record
 *
 * and what few traces want: trace_rare.h.
 *
 * Memory: the state, and a log of what happened in order of time: bytes, whose
 * end is in the state and what is before it in blocks of the engine's, whose
 * borders mean nothing.  An entry begins with a code in the high bits of its first
 * byte; numbers as the machine has them.
 *
 *	NEXT	code:2 n:2 low:4, n bytes	a probe that left, one ttl on
 *	RETRY	the same			... with the next attempt
 *	HOP	code:2 r:2 tos:2 size:2, ttl, ipid 2, address 4 or 16, rtt r + 1
 *		[, tos] [, size 2]		a reply
 *	OTHER	code:2 kind:6, then by kind:
 *	  PROBE		struct trace_probe	any probe, left or not
 *	  LEFT		number 2, struct trace_probe	it left after all
 *	  ODD		struct trace_odd	the HOP behind is not as nearly all
 *	  EXT		length 2, bytes		extensions of the HOP before
 *
 * NEXT and RETRY say when: low and the bytes are the microseconds since it was
 * expected.  That is when the last reply without ODD to the probe before came,
 * in whole units of 512 microseconds since that left; if none has come, when the
 * wait for it was over.  One that left sooner is a PROBE: the reply before it
 * had ODD, or a late one to another probe was what it waited for.
 *
 * Nearly all replies are to the last probe and say time exceeded, with the packet
 * quoted as it was sent and a ttl of 1: this is not written down.  Most have a
 * tos of 0 or 192 and quote 28 bytes or all.  So a hop takes 11 to 13 bytes with
 * its probe, a silent probe 2.
 *
 * The last probe is in the state and in the log as well once it has left.
 */
#ifndef PROBER_TRACE_H
#define PROBER_TRACE_H

#include "common/clock.h"
#include "prober/tech/technique.h"

#define TX_UNKNOWN ((1ULL << 41) - 1)
#define HOP_FLAGS_ALL (WARTS_HOP_REPLYTTL | WARTS_HOP_DLRXTS)
#define REPLIES_MAX 12 /* kept per probe: 255 ttls x 20 attempts fit a record */

enum trace_method { UDP, ICMP, UDP_PARIS, ICMP_PARIS, TCP, TCP_ACK };

struct trace_conf {
	uint16_t dport;
	uint16_t sport;
	uint32_t user_id;
	uint32_t flags; /* WARTS_TRACE_ */
	uint8_t first_ttl, gap_limit, gap_action, loops, hop_limit, method;
	uint8_t attempts, tos, wait_s, wait_probe_cs;
	uint8_t rare; /* there is a struct trace_more */
	uint8_t all; /* a hop gets all its probes although one was answered */
	uint8_t pauses; /* -W or -H is given */
	uint8_t kind; /* enum probe_kind */
	/* Of a probe, for IPv4 and IPv6; the first of the payload. */
	uint16_t payload_len[2], size[2];
	uint8_t has_route, noback, nortt;
	uint8_t squeries, confidence;
	uint8_t gss_family;
	uint16_t offset; /* of fragments, in 8 bytes; 0: none */
	uint32_t wait_hop_us;
	struct technique_route route;
	struct technique_addrs lsrr; /* loose source route */
	struct stopset *gss; /* global stop set, or NULL */
	char *lss_name; /* of the local stop set, or NULL */
	struct technique_hex payload;
};

/* A probe.  What it is beside the one before says how it is written. */
enum trace_step { STEP_NEXT, STEP_RETRY, STEP_OTHER };

struct trace_probe {
	/* trace_us(): when it left; or until it has, when the one before did. */
	uint32_t us_low;
	uint16_t us_high : 9;
	uint16_t nreplies : 4; /* kept; of the last probe only */
	uint16_t step : 2; /* enum trace_step */
	uint16_t left : 1;
	uint8_t ttl, attempt;
};

struct trace_hop {
	uint8_t probe_ttl;
	uint8_t ttl, tos;
	uint16_t size, ipid;
	uint32_t rtt_us;
	uint8_t addr[16]; /* of the target's family */
};

struct trace_odd {
	uint16_t probe; /* number of the one that is answered */
	uint16_t q_len, nhmtu;
	uint8_t flags; /* WARTS_HOP_, beside those of all */
	uint8_t icmp_type; /* or the flags of a TCP reply */
	uint8_t icmp_code, q_ttl, q_tos;
};

_Static_assert(sizeof(struct trace_probe) == 8, "probe");
_Static_assert(sizeof(struct trace_odd) == 12, "odd");

enum trace_mode { MODE_TRACE, MODE_LASTDITCH, MODE_PAUSE };

struct trace {
	int64_t start_ns; /* wall clock */
	struct trace_probe last; /* the last probe */
	union {
		/* Two bits, by hash, for each address that replied. */
		uint64_t seen[2];
		struct trace_more *more; /* of a rare one, in their place */
	};
	uint16_t nprobes, nhops;
	uint16_t lastditch_from; /* number of its first probe, or 0 */
	/* Of the last probe that left, the last reply without ODD: its rtt in
	 * 15 bits of 512 us, and the 16th; 0: none. */
	uint16_t heard;
	uint8_t log_len; /* bytes of the log that are in `log' */
	uint8_t ttl, attempt;
	uint8_t answered; /* the highest ttl with a reply, or 0 */
	uint8_t stop_data;
	uint8_t loops;
	uint8_t stop_reason : 4;
	uint8_t agains : 4; /* probes repeated because replies were lost here */
	uint8_t mode : 2; /* enum trace_mode */
	uint8_t after_mode : 2; /* MODE_PAUSE: what the pause interrupts */
	uint8_t asked : 1; /* for a credit, and the probe is not built yet */
	uint8_t maybe_again : 1; /* the last reply's bits were in `seen' */
	uint8_t exts : 1; /* there are some in the log */
	uint8_t
	    unsent : 1; /* the last probe could not leave: it is made again */
	/* The end of the log, a cache line with what follows; it becomes a block
	 * when it is full. */
	uint8_t log[TECHNIQUE_BLOCK];
	uint32_t nblocks;
};

_Static_assert(sizeof(struct trace) == 112, "a task is three cache lines");

/* The ICMP type of "time exceeded" (RFC 792, 4443). */
static inline uint8_t
trace_time_exceeded(int family)
{
	return family == ADDR_IPV4 ? 11 : 3;
}

/* Microseconds since the start. */
static inline uint64_t
trace_us(const struct trace_probe *p)
{
	return (uint64_t)p->us_high << 32 | p->us_low;
}

/* When P left: microseconds since the start; TX_UNKNOWN: not yet. */
static inline uint64_t
trace_tx_us(const struct trace_probe *p)
{
	return p->left ? trace_us(p) : TX_UNKNOWN;
}

static inline int
trace_is_udp(const struct trace_conf *c)
{
	return c->method == UDP || c->method == UDP_PARIS;
}

static inline int
trace_is_tcp(const struct trace_conf *c)
{
	return c->method >= TCP;
}

static inline int
trace_is_icmp(const struct trace_conf *c)
{
	return c->method == ICMP || c->method == ICMP_PARIS;
}

/* Payload bytes of a probe to an address of FAMILY; and the whole packet. */
static inline uint16_t
trace_payload_len(const struct trace_conf *c, int family)
{
	return c->payload_len[family == ADDR_IPV6];
}

static inline uint16_t
trace_probe_size(const struct trace_conf *c, int family)
{
	return c->size[family == ADDR_IPV6];
}

/* The smallest probe there is, without payload. */
static inline uint16_t
trace_size_min(const struct task *t)
{
	const struct trace_conf *c = task_conf(t);
	int family = task_dst(t)->family;

	return (uint16_t)(trace_probe_size(c, family) -
	    trace_payload_len(c, family));
}

/* Is R "packet too big" (RFC 792, 4443)? */
static inline int
trace_is_too_big(const struct reply *r)
{
	if (r->kind != REPLY_ICMP_ERROR)
		return 0;
	if (r->from.family == ADDR_IPV4)
		return r->icmp_type == 3 && r->icmp_code == 4;
	return r->icmp_type == 2;
}

/* --- trace_options.c -------------------------------------------------------- */

extern const struct technique_opt trace_opts[];
void trace_defaults(void *conf);
const char *trace_check(void *conf);
const char *trace_check_target(const void *conf, const struct addr *dst);
void trace_clear(void *conf);
const struct technique_route *trace_route(const void *conf);

/* --- trace_probe.c ---------------------------------------------------------- */

/* Fill in PR for probe NUMBER (from 0), all but the ttl; its bytes are good
 * until the next call. */
void trace_make(struct task *t, unsigned int number, struct probe *pr);
/* What trace_make() leaves to do for a rare one: source route, fragment. */
void trace_make_rare(struct task *t, unsigned int number, struct probe *pr);
/* Make PR, which trace_make() has filled in, a packet of SIZE bytes. */
void trace_make_large(struct task *t, struct probe *pr, uint16_t size);
/* The number of the probe that R answers, or -1. */
int trace_match(
    const struct task *t, const struct trace *tr, const struct reply *r);

/* --- trace.c ---------------------------------------------------------------- */

/* Ask for the next probe, not sooner than -W after the last; it is NOW. */
void trace_next_probe(struct task *t, struct trace *tr, int64_t now_ns);
/* The ttl at hand is done with: on to the next. */
void trace_next_ttl(struct task *t, struct trace *tr, int64_t now_ns);
/* The gap limit is reached: the end, or a last ditch. */
void trace_gap_over(struct task *t, struct trace *tr, int64_t now_ns);
/* The trace is over, but for what comes behind (trace_rare_finish). */
void trace_finish(struct task *t, struct trace *tr, int reason, int data);
/* When the last probe left, by the wall clock; NOW if that is still to come. */
int64_t trace_last_tx_ns(const struct trace *tr, int64_t now_ns);
/* How many probes the hop at hand gets, so far as is known. */
unsigned int trace_attempts(const struct task *t, const struct trace *tr);
/* Why reply R ends the trace, WARTS_STOP_ and *DATA; NONE: it does not. */
int trace_stop_of(const struct task *t, const struct reply *r, int *data);
/* Is R, kept as H, the loop that ends the trace? */
int trace_loop_reached(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h);

/* --- trace_store.c ---------------------------------------------------------- */

/* Probe NUMBER, which must be below tr->nprobes: nearly always the last, else
 * trace_probe_find() looks for it, and what it returns is a copy that is good
 * until the next call. */
const struct trace_probe *trace_probe_find(
    const struct task *t, const struct trace *tr, unsigned int number);
static inline const struct trace_probe *
trace_probe_get(
    const struct task *t, const struct trace *tr, unsigned int number)
{
	if (number + 1 == tr->nprobes)
		return &tr->last;
	return trace_probe_find(t, tr, number);
}

/* The next probe, which has not left; counts it. */
void
trace_probe_add(struct task *t, struct trace *tr, uint8_t ttl, uint8_t attempt);

/* Probe NUMBER left TX_US, below TX_UNKNOWN, after the start. */
void trace_probe_left(
    struct task *t, struct trace *tr, unsigned int number, uint64_t tx_us);

/* A walk over the replies in order of arrival. */
struct trace_walk {
	/* the reply it is at: */
	struct trace_hop hop;
	const struct trace_odd *odd; /* or NULL */
	uint64_t
	    probe_us; /* when the probe that it answers left (trace_tx_us) */
	uint8_t probe_attempt;
	unsigned int number; /* of that probe */
	/* the probe met last: */
	uint8_t ttl, attempt, left;
	unsigned int nprobes; /* met so far */
	uint64_t us;
	uint64_t expected_us; /* when the next one is */
	/* and the place in the log, a copy of the whole: */
	const uint8_t *at;
	const uint8_t *log, *end;
	const struct trace *tr;
	uint32_t wait_us;
	uint16_t sizes[4]; /* of replies, by their size's code */
	uint8_t addr_len;
	struct trace_odd odd_bytes;
};
/* The log as it is now; of one task at a time. */
void trace_walk_init(
    struct trace_walk *w, const struct task *t, const struct trace *tr);
/* To the first, the next reply; 0 at the end. */
int trace_walk_next(struct trace_walk *w);
/* The extension objects of the reply it is at go to OUT, if that is not NULL.
 * Their length, 0 if there are none. */
size_t trace_walk_ext(const struct trace_walk *w, uint8_t *out);

/* Keep R as an answer to probe NUMBER, which is P; marks nothing as answered.
 * NULL when that probe has had REPLIES_MAX already.  Good until the next. */
const struct trace_hop *trace_hop_add(struct task *t, struct trace *tr,
    const struct reply *r, const struct trace_probe *p, unsigned int number);

/* --- trace_loop.c ----------------------------------------------------------- */

/* A replied: note it in `seen' and `maybe_again'. */
void trace_loop_note(struct trace *tr, const struct addr *a);

/*
 * Was the address of H, the reply kept last, seen at an earlier ttl than H's?
 * The ttl just before does not count: that is a router that forwards packets
 * with ttl zero.
 */
int trace_loop_is(
    const struct task *t, const struct trace *tr, const struct trace_hop *h);

/* --- trace_record.c --------------------------------------------------------- */

/* What R itself says, as HOP, which is all zero. */
void trace_hop_of(const struct reply *r, struct warts_hop *hop);
/* LEN bytes of extension objects at P become HOP's; they stay where they are. */
void trace_split_ext(const uint8_t *p, size_t len, struct warts_hop *hop);

/* technique->names, ->record. */
int trace_names(struct task *t);
void trace_record(struct task *t, struct technique_record *rec);

#endif
