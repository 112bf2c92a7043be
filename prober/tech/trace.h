/*
 * trace: what the three files of the trace technique share.
 *
 *	trace.c		what to send next, when to stop
 *	trace_store.c	what is remembered of a trace in progress
 *	trace_record.c	the finished trace as a record
 *
 * Memory: the state, and blocks: an entry per probe sent (8 bytes) and one per
 * reply (24 bytes, IPv6 36), each kind in a chain in order of time.
 */
#ifndef PROBER_TRACE_H
#define PROBER_TRACE_H

#include "prober/tech/technique.h"

#define NS_PER_SEC 1000000000LL
#define NS_PER_US 1000LL
#define TX_UNKNOWN ((1ULL << 47) - 1)
#define REPLIES_MAX 12 /* kept per probe: 255 ttls x 20 attempts fit a record */

enum trace_method { UDP, ICMP, UDP_PARIS, ICMP_PARIS };

struct trace_conf {
	uint16_t dport;
	uint16_t sport;
	uint32_t user_id;
	uint32_t flags; /* WARTS_TRACE_ */
	uint8_t first_ttl, gap_limit, gap_action, loops, hop_limit, method;
	uint8_t attempts, tos, wait_s, wait_probe_cs;
	struct technique_hex payload;
};

struct trace_probe {
	uint64_t tx_us : 47; /* since the start; TX_UNKNOWN: not yet */
	uint64_t ttl : 8;
	uint64_t attempt : 5;
	uint64_t nreplies : 4; /* kept */
};

/* As long as the address of its family needs: see trace_hop_size(). */
struct trace_hop {
	uint32_t rtt_us;
	uint16_t probe; /* number */
	uint16_t size, ipid, q_len;
	uint8_t probe_ttl;
	uint8_t ttl, tos, q_ttl, q_tos, icmp_type, icmp_code;
	uint8_t flags; /* WARTS_HOP_ */
	uint8_t addr[]; /* of the target's family */
};

#define PROBES_PER_BLOCK 14
#define HOP_BYTES_PER_BLOCK (TECHNIQUE_BLOCK - sizeof(void *))
#define EXT_PER_BLOCK 104

/* Blocks of one kind make a chain; `next' first, so that it can be generic. */
struct probe_block {
	struct probe_block *next;
	struct trace_probe p[PROBES_PER_BLOCK];
};

struct hop_block {
	struct hop_block *next;
	uint32_t bytes[HOP_BYTES_PER_BLOCK / sizeof(uint32_t)];
};

/* What few hops have: extension objects, in pieces, and a next-hop MTU. */
struct ext_block {
	struct ext_block *next;
	uint16_t hop, len; /* hop: number, in order of arrival */
	uint16_t nhmtu;
	uint8_t bytes[EXT_PER_BLOCK - 2];
};

_Static_assert(sizeof(struct trace_probe) == 8, "probe");
_Static_assert(sizeof(struct probe_block) <= TECHNIQUE_BLOCK, "probe block");
_Static_assert(sizeof(struct hop_block) <= TECHNIQUE_BLOCK, "hop block");
_Static_assert(sizeof(struct trace_hop) == 20, "hop");
_Static_assert(sizeof(struct ext_block) <= TECHNIQUE_BLOCK, "ext block");

enum trace_mode { MODE_TRACE, MODE_LASTDITCH, MODE_PAUSE };

struct trace {
	int64_t start_ns; /* wall clock */
	struct probe_block *probes, *probes_last;
	struct hop_block *hops, *hops_last;
	struct ext_block *exts; /* the latest first */
	uint64_t seen; /* a bit, by hash, for each address that replied */
	uint16_t nprobes, nhops;
	uint16_t lastditch_from; /* number of its first probe, or 0 */
	uint8_t ttl, attempt;
	uint8_t answered; /* the highest ttl with a reply, or 0 */
	uint8_t maybe_again; /* the last reply's bit was in `seen' */
	uint8_t mode; /* enum trace_mode */
	uint8_t after_mode; /* MODE_PAUSE: what the pause interrupts */
	uint8_t stop_reason, stop_data;
	uint8_t loops;
	uint8_t agains; /* probes repeated because replies were lost here */
	uint8_t asked; /* for a credit, and the probe is not built yet */
};

/* Payload bytes of a probe to an address of FAMILY. */
uint16_t trace_payload_len(const struct trace_conf *c, int family);

/* --- trace_store.c ---------------------------------------------------------- */

/* Probe NUMBER, which must be below tr->nprobes. */
struct trace_probe *
trace_probe_get(const struct trace *tr, unsigned int number);

/* A new zeroed entry for the next probe; counts it. */
struct trace_probe *trace_probe_add(struct task *t, struct trace *tr);

/* Walk the replies in order of arrival: the first, and the one behind it; NULL
 * at the end. */
struct trace_walk {
	const struct trace *tr;
	const struct hop_block *block;
	size_t size; /* of a hop, bytes */
	unsigned int at, number; /* in the block; of all */
};
const struct trace_hop *trace_hop_first(
    const struct task *t, const struct trace *tr, struct trace_walk *w);
const struct trace_hop *trace_hop_next(struct trace_walk *w);

/* Keep R as an answer to probe NUMBER; marks nothing as answered.  NULL when
 * that probe has had REPLIES_MAX already. */
struct trace_hop *trace_hop_add(
    struct task *t, struct trace *tr, const struct reply *r, int number);

/*
 * Was the address of H, the reply kept last, seen at an earlier ttl than H's?  The ttl just before
 * does not count: that is a router that forwards packets with ttl zero.
 */
int trace_is_loop(
    const struct task *t, const struct trace *tr, const struct trace_hop *h);

/* --- trace_record.c --------------------------------------------------------- */

/* technique->record. */
void trace_record(struct task *t, struct technique_record *rec);

#endif
