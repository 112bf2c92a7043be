/*
 * ping: what the three files of the ping technique share.
 *
 *	ping.c		what to send next, what answers what
 *	ping_options.c	what may be asked for
 *	ping_probe.c	a probe as the builder of packets wants it
 *	ping_record.c	the finished ping as a record
 *
 * Memory: the state, and blocks: six probes in one (8 bytes each: when they
 * left), one for each reply, and one for its time stamps or IP option if it has
 * them.  With -M one more is struct ping_more.
 */
#ifndef PROBER_PING_H
#define PROBER_PING_H

#include "prober/tech/source_route.h"
#include "prober/tech/technique.h"

struct ping_conf {
	uint16_t probe_count; /* -c */
	uint16_t reply_count; /* -o, 0: all are sent */
	uint16_t size; /* -s, whole packet, 0: by method */
	uint16_t data_size; /* -b, with has_data_size */
	uint16_t mss; /* -O mss=, 0: not offered */
	uint16_t sport, dport; /* -F, -d; dport 0: not given */
	uint16_t icmp_sum; /* -C */
	uint32_t tcp_number; /* -A */
	uint32_t user_id; /* -U */
	uint32_t flags; /* WARTS_PING_ */
	uint32_t wait_us, timeout_us; /* -i, -W */
	uint8_t ttl, tos;
	uint8_t method; /* enum warts_ping_method */
	uint8_t has_sport, has_dport, has_sum, has_number, has_timeout;
	uint8_t has_data_size;
	uint16_t mtu; /* -M: of the path back, as we have it; 0: none */
	uint8_t has_route, has_mtu;
	struct addr source; /* -S, or ADDR_NONE */
	struct technique_route route;
	struct technique_addrs lsrr; /* -O lsrr= */
	struct technique_addrs tsps; /* -T tsprespec= */
	struct technique_hex payload, pattern; /* -B, -p */
};

struct ping_probe_block {
	struct ping_probe_block *next;
	/* Since the start, with bit 63 once it has been answered; PING_UNSENT
	 * until it leaves. */
	uint64_t tx_us[6];
};
#define PROBES_PER_PING_BLOCK 6
#define PING_UNSENT ((1ULL << 62) - 1)
#define PING_ANSWERED (1ULL << 63)

/* What few replies have. */
struct ping_rest {
	uint8_t icmp_ts[12]; /* the three words of an ICMP timestamp reply */
	uint8_t option[40]; /* a record route or timestamp option as it came */
};

struct ping_answer {
	struct ping_answer *next;
	struct ping_rest *rest; /* or NULL */
	struct addr from;
	uint8_t ttl, tos, protocol, icmp_type, icmp_code, tcp_flags;
	uint8_t has_fragid : 1;
	uint8_t has_icmp_ts : 1;
	uint8_t option_len : 6; /* bytes of rest->option */
	uint32_t rtt_us;
	uint32_t fragid;
	uint16_t probe, size, ipid, nhmtu;
};

_Static_assert(
    sizeof(struct ping_probe_block) <= TECHNIQUE_BLOCK, "probe block");
_Static_assert(sizeof(struct ping_answer) <= TECHNIQUE_BLOCK, "answer");
_Static_assert(sizeof(struct ping_rest) <= TECHNIQUE_BLOCK, "rest");

/* A reply larger than -M, which is to be told so. */
#define PING_QUOTE_MAX 1232 /* bytes: the message is 1280 (RFC 4443, 2.4) */
struct ping_more {
	void *chain; /* technique_extra */
	uint8_t *quote; /* PING_QUOTE_MAX bytes, or NULL: none so far */
	uint16_t quote_len; /* 0: nobody is to be told */
};

/* Not a probe: the message "too big". */
#define PING_TOO_BIG_ID UINT32_MAX

enum ping_mode { PING_SENDING, PING_INTERVAL, PING_LAST };

struct ping {
	int64_t start_ns; /* wall clock */
	struct ping_probe_block *probes, *probes_last;
	struct ping_answer *answers; /* the last one; a ring */
	struct ping_more *more; /* with -M, else NULL */
	uint32_t random; /* IPv4 ids, TCP numbers are made from it */
	uint16_t nsent; /* probes built */
	uint16_t nanswers; /* kept */
	uint16_t nanswered; /* probes that were answered */
	uint8_t mode; /* enum ping_mode */
	uint8_t agains; /* probes repeated because replies were lost here */
	uint8_t stop_reason, stop_data;
};

_Static_assert(sizeof(struct ping) <= 112, "a task is three cache lines");

/* --- ping.c ------------------------------------------------------------------- */

/* When probe NUMBER, which has left, left: since p->start_ns. */
uint64_t ping_tx_us(const struct ping *p, unsigned int number);

/* --- ping_options.c --------------------------------------------------------- */

extern const struct technique_opt ping_opts[];
/* technique->defaults, check, check_target, route. */
void ping_defaults(void *conf);
const char *ping_check(void *conf);
const char *ping_check_target(const void *conf, const struct addr *dst);
const struct technique_route *ping_route(const void *conf);

/* --- ping_probe.c ----------------------------------------------------------- */

/* Fill in PR for probe NUMBER (from 0); its bytes are good until the next
 * call. */
void ping_make(struct task *t, unsigned int number, struct probe *pr);

/* Fill in PR as the message that the reply of ping_more() is too big. */
void ping_make_too_big(struct task *t, struct probe *pr);

/* The source address that the probes show. */
const struct addr *ping_src(const struct task *t);

/* The ports (ICMP id and sequence) of probe NUMBER into PR. */
void
ping_number(const struct ping_conf *c, unsigned int number, struct probe *pr);

/* The IPv4 id of probe NUMBER, not 0, different for any 65,535 in a row. */
uint16_t ping_ipid(const struct ping *p, unsigned int number);

/* TCP's sequence and acknowledgement numbers: constant during a ping. */
uint32_t ping_tcp_seq(const struct ping *p, const struct ping_conf *c);
uint32_t ping_tcp_ack(const struct ping *p, const struct ping_conf *c);

/* Bytes of our own address in front of a probe's data, 0 without `spoof'. */
size_t ping_own_len(const struct ping_conf *c, int family);
/* Bytes of a probe to an address of FAMILY, from the IP header on; that of its
 * headers, and what else must be in it. */
size_t ping_size_min(const struct ping_conf *c, int family);
uint16_t ping_size(const struct ping_conf *c, int family);

/* --- ping_record.c ------------------------------------------------------------ */

/* technique->record. */
void ping_record(struct task *t, struct technique_record *rec);

#endif
