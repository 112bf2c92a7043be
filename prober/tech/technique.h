/*
 * technique: the contract between the Prober's engine and a measurement
 * technique (trace, ping, ...).
 *
 * A technique is one file and one row in technique_table[] (technique.c).  It
 * has a configuration, parsed from scamper's notation by its option table and
 * shared by all tasks of a cycle, and a state per task.  The engine calls it:
 *
 *	start ──► probe_send ··· credit ···► probe ──► (wire) ──► sent
 *	                ▲                                           │
 *	                ├──────────── reply, timeout ◄── probe_wait ┘
 *	                └─ probe_done ──► record
 *
 * Exactly one of probe_send(), probe_wait(), probe_done() is in force for a
 * task: a later call replaces the former.  A technique owns no socket, timer,
 * file or heap; memory beyond its state comes in blocks that the engine takes
 * back when the task ends.  It can be tested by feeding replies, reading
 * probes and advancing a clock of the test's own.
 */
#ifndef PROBER_TECHNIQUE_H
#define PROBER_TECHNIQUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/warts.h"
#include "prober/net/packet_build.h"

struct task;

/* --- what came back ------------------------------------------------------- */

enum reply_kind {
	REPLY_ICMP_ERROR, /* quotes a probe */
	REPLY_ICMP_ECHO, /* echo reply */
	REPLY_ICMP_TIME, /* timestamp reply (RFC 792) */
	REPLY_UDP,
	REPLY_TCP,
};

/* One packet received, as packet_parse() understands it. */
struct reply {
	int64_t rx_ns; /* wall clock, by the kernel */
	/* RFC 4884 extension objects, from behind the extension header: */
	const uint8_t *ext; /* NULL if none; gone after the call */
	const uint8_t *icmp_stamps; /* three words; gone after the call */
	/* All that was captured, from the IP header on; not of an error. */
	const uint8_t *packet; /* gone after the call */
	/* The record route or timestamp option of an IPv4 header: */
	const uint8_t *ip_option; /* gone after the call */
	uint16_t packet_len;
	enum reply_kind kind;
	struct addr from;
	struct addr target; /* quoted destination; `from' if nothing quoted */
	uint16_t ext_len;
	uint16_t size; /* whole IP packet */
	uint16_t ipid; /* 0 for IPv6 */
	uint8_t ttl, tos;
	uint8_t protocol; /* IPPROTO_ */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_id, icmp_seq; /* of an echo reply */
	uint16_t nhmtu; /* next-hop MTU of a "too big" */
	uint16_t sport, dport; /* of a TCP or UDP reply */
	uint8_t tcp_flags;
	uint8_t has_fragid; /* IPv6: it came with a fragment header, */
	uint32_t fragid; /* of this identification (RFC 8200) */
	uint8_t ip_option_len; /* 0 if none */
	/* The quoted packet of an ICMP error: */
	uint8_t q_proto; /* IPPROTO_ */
	uint8_t q_ttl, q_tos;
	uint16_t q_len; /* total length by its IP header */
	uint16_t q_ipid; /* IPv6: low half of the flow label */
	uint16_t q_sport, q_dport; /* or ICMP id, sequence; fragment id */
	uint16_t q_csum;
};

/* --- what to record --------------------------------------------------------- */

struct technique_record {
	uint16_t type; /* enum warts_type: which member of the union; they all
			* begin at one place */
	uint64_t number; /* of the command; set by the engine */
	union {
		struct warts_trace trace;
		struct warts_ping ping;
	};
};

/* --- options ---------------------------------------------------------------- */

enum technique_opt_kind {
	OPT_FLAG, /* sets bits `min' in a uint32_t */
	OPT_U8,
	OPT_U16,
	OPT_U32,
	OPT_WORD, /* one of words[], stored as uint8_t index */
	/* struct technique_hex; max: bytes, 0 for all there is room; min 1: an
	 * odd number of digits has a zero in front. */
	OPT_HEX,
	OPT_SECONDS, /* uint32_t microseconds, min .. max; given in seconds */
	OPT_ADDR, /* struct addr */
	OPT_CALL, /* by the set function */
	OPT_CALLS, /* the same, and may be given more than once */
	OPT_STREAM, /* measurement->partial, min .. max */
};

struct technique_addrs {
	uint8_t count;
	struct addr addr[4];
};

/* "A,B,..." of FAMILY into OUT; 0 or -1. */
int
technique_addrs_scan(const char *list, int family, struct technique_addrs *out);

struct technique_hex {
	uint16_t len;
	uint8_t bytes[1400];
};

struct technique_opt {
	char letter;
	uint8_t kind; /* enum technique_opt_kind */
	uint16_t offset; /* of the member in the configuration */
	uint32_t min, max;
	const char *name; /* "attempts", for messages and help */
	const char *const *words; /* OPT_WORD: ends with NULL */
	uint16_t given; /* offset of an uint8_t to be 1 then, or 0 */
	/* OPT_CALL(S): put ARG into CONF; NULL, or a static reason. */
	const char *(*set)(void *conf, const char *arg);
};

/* How probes are to leave, other than the kernel would have it. */
struct technique_route {
	struct addr src; /* our address; ADDR_NONE: the kernel's choice */
	struct addr via; /* the router next to us; ADDR_NONE: as routed */
	struct addr to; /* routed as to this; ADDR_NONE: to the target */
};

/* --- the technique ------------------------------------------------------------ */

struct technique {
	const char *name, *help;
	size_t conf_size, state_size;
	const struct technique_opt *opts; /* ends with letter 0 */
	void (*defaults)(void *conf);
	/* Rules across options; NULL or a static reason. */
	const char *(*check)(void *conf);
	/* The same for the one target of a command; NULL: any will do. */
	const char *(*check_target)(const void *conf, const struct addr *dst);
	/* Free what CONF has of the heap; NULL: nothing. */
	void (*clear)(void *conf);
	/* How probes leave; NULL, or returns NULL: as the kernel says. */
	const struct technique_route *(*route)(const void *conf);
	/* Where in its state T has its chain of technique_extra(); NULL: no
	 * task of this technique has one. */
	void **(*extras)(struct task *t);
	void (*start)(struct task *t, int64_t wall_ns);
	/* A credit is there: describe the probe to send. */
	void (*probe)(struct task *t, struct probe *pr);
	/* The probe with this id left at TX_NS (wall clock).  Ids are numbers
	 * from 0; what is no probe has UINT32_MAX. */
	void (*sent)(struct task *t, uint32_t id, int64_t tx_ns);
	void (*reply)(struct task *t, const struct reply *r);
	void (*timeout)(struct task *t);
	/* The wait is over, but replies were lost here meanwhile: silence means
	 * nothing.  Send the same again, within reason. */
	void (*again)(struct task *t);
	/* The probe asked for last could not leave: ask for it again. */
	void (*unsent)(struct task *t);
	/* The probe asked for last cannot be sent: an errno. */
	void (*failed)(struct task *t, int err);
	/* T is done: does its record wait for a name?  Returns non-zero as soon
	 * as technique_name_wait() does.  NULL: it has no names. */
	int (*names)(struct task *t);
	/* Fill in the record; memory may be taken with technique_scratch().
	 * With -y also of a task that goes on. */
	void (*record)(struct task *t, struct technique_record *out);
};

extern const struct technique *const technique_table[]; /* ends with NULL */

/* A parsed measurement: technique and configuration, shared by many tasks. */
struct measurement {
	const struct technique *tech;
	int refs;
	uint8_t partial; /* -y: a client sees the result at every so many
			  * probes, 0: at the end */
	char *text; /* as it was given, for messages and canonical print */
	max_align_t conf[]; /* tech->conf_size bytes */
};

/*
 * Parse "TECHNIQUE OPTIONS... [ADDRESS]" in scamper's notation (TEXT is not
 * changed): names are matched without regard to case, flags may be bundled, an
 * option's argument is a separate word.  TARGET non-NULL demands an address
 * and stores it, NULL refuses one.  Returns a measurement with one reference,
 * or NULL with the reason in WHY (WHY_SIZE bytes).
 */
struct measurement *technique_parse(
    const char *text, struct addr *target, char *why, size_t why_size);
/* The same for what was accepted before: also of one that is disabled. */
struct measurement *technique_parse_old(
    const char *text, struct addr *target, char *why, size_t why_size);
void technique_unref(struct measurement *m);

/* From now on technique_parse() refuses that row of the table, or does not. */
void technique_enable(size_t row, int on);
/* Would technique_parse() refuse all of TECH? */
int technique_is_disabled(const struct technique *tech);

/* The source port, ICMP id of this process: (pid & 0xffff) | 0x8000. */
uint16_t technique_default_port(void);
/* The ICMP id of its pings, as scamper has it: pid & 0xffff. */
uint16_t technique_default_id(void);

/* --- what the engine gives (window.c; stubs in a technique's unit test) ------- */

/* Its state (zeroed at the start), its parsed options, its two addresses: the
 * same all its life, so the compiler need not ask twice. */
#define TASK_CONST __attribute__((const))
TASK_CONST void *task_state(struct task *t);
TASK_CONST const void *task_conf(const struct task *t);
TASK_CONST const struct addr *task_src(const struct task *t);
TASK_CONST const struct addr *task_dst(const struct task *t);

/* The largest packet that leaves unfragmented, bytes. */
uint16_t task_mtu(const struct task *t);

/* Call ->probe as soon as the pacer has a credit. */
void probe_send(struct task *t);
/* Call ->timeout WAIT_NS from now, if no reply changes that. */
void probe_wait(struct task *t, int64_t wait_ns);
/* The task is over: ->record is called, then its memory is gone. */
void probe_done(struct task *t);

#define TECHNIQUE_BLOCK 60 /* usable bytes of a block */
/* A zeroed block of TECHNIQUE_BLOCK bytes, freed with the task. */
void *technique_block(struct task *t);
/* T's blocks, the latest first: the one made before BLOCK, of NULL the latest;
 * NULL: there is none. */
const void *technique_earlier_block(const struct task *t, const void *block);
/* SIZE zeroed bytes in CHAIN (technique->extras), freed with the task: for
 * state that few tasks have.  The first stays at the head of the chain. */
void *technique_extra(void **chain, size_t size);
/* Have A's name looked up, unless it is known.  Non-zero: that is in progress;
 * then ->names is called again if T is done, when it is over. */
int technique_name_wait(struct task *t, const struct addr *a);
/* The name of A, for the record alone; NULL: it has none, or none is known. */
const char *technique_name(const struct task *t, const struct addr *a);
/* SIZE zeroed bytes, good until the record has been written. */
void *technique_scratch(size_t size);

#endif
