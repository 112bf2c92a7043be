/*
 * warts: the record format of scamper, as structs.  One struct per record
 * type, with units and bounds; one .c per type turns it into bytes and back.
 *
 *   record:  12 05 | type u16 | body length u32 | body      (all big-endian)
 *
 * The ids in `list' and `cycle' fields are numbers within one file: 1 for the
 * first list (cycle) record of the file, then 2, 3, ...; 0 means none.
 * CAIDA's readers end silently at an id that is not the next one expected.
 *
 * Decoding never trusts a length.  Strings and byte ranges of a decoded record
 * point into the body that was decoded and live as long as it does; arrays
 * are allocated and released by the record's _clear.  A decoded record encodes
 * to the same bytes again: where the programs that wrote a field differ in
 * when they write it, its presence is kept in a `has' mask: bit N is field N
 * of the struct's block, and WARTS_HAS is set.  In a record of our own `has' is
 * 0, and the encoder writes the fields that scamper 2026 would.
 *
 * Format: scamper's warts(5), and where that is silent or wrong, its files.
 */
#ifndef COMMON_WARTS_H
#define COMMON_WARTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"

#define WARTS_MAGIC 0x1205
#define WARTS_HEADER_LEN 8
/* Longer bodies are taken for damage: scamper's largest are below 1 MiB. */
#define WARTS_BODY_MAX (64u << 20)

enum warts_type {
	WARTS_LIST = 0x0001,
	WARTS_CYCLE_START = 0x0002,
	WARTS_CYCLE_DEF = 0x0003,
	WARTS_CYCLE_STOP = 0x0004,
	WARTS_ADDR = 0x0005,
	WARTS_TRACE = 0x0006,
	WARTS_PING = 0x0007,
	WARTS_TRACELB = 0x0008,
	WARTS_DEALIAS = 0x0009,
	WARTS_NEIGHBOURDISC = 0x000a,
	WARTS_TBIT = 0x000b,
	WARTS_STING = 0x000c,
	WARTS_SNIFF = 0x000d,
	WARTS_HOST = 0x000e,
	WARTS_HTTP = 0x000f,
	WARTS_UDPPROBE = 0x0010,
	WARTS_OWAMP = 0x0011,
	/* Private to this project: a segment's mark (common/segment.h). */
	WARTS_MARK = 0x8a4d,
};

/* In a `has' mask: it was read from a record (no field has the number 0). */
#define WARTS_HAS 1ULL

/* A record as it lies in a file. */
struct warts_record {
	uint16_t type; /* enum warts_type, or one not known */
	uint32_t len; /* of body */
	const uint8_t *body; /* see whoever gave the record */
	uint64_t offset; /* of the record's header in the (plain) stream */
};

struct warts_tv {
	uint32_t sec; /* since 1970-01-01 UTC */
	uint32_t usec; /* 0..999999 */
};

/* NS of the wall clock, not negative, as a record has it. */
static inline struct warts_tv
warts_tv_of(int64_t ns)
{
	struct warts_tv tv = {
	    .sec = (uint32_t)(ns / NS_PER_SEC),
	    .usec = (uint32_t)(ns % NS_PER_SEC / NS_PER_US),
	};

	return tv;
}

/* --- list.c ------------------------------------------------------------- */

struct warts_list {
	uint32_t id; /* file-local, from 1 */
	uint32_t user_id; /* -L */
	const char *name; /* -l, never NULL */
	const char *descr; /* NULL if none */
	const char *monitor; /* -M, NULL if none */
};

/* --- cycle.c: start and definition have one layout ------------------------ */

struct warts_cycle {
	uint32_t id; /* file-local, from 1, one counter for both */
	uint32_t list; /* file-local, not 0 */
	uint32_t user_id; /* -C */
	uint32_t start; /* Unix time */
	uint32_t stop; /* Unix time, 0 if not known */
	const char *hostname; /* NULL if none */
};

struct warts_cycle_stop {
	uint32_t id; /* file-local id of the cycle that stops */
	uint32_t stop; /* Unix time */
};

/* --- trace.c -------------------------------------------------------------- */

enum warts_trace_method {
	WARTS_TRACE_ICMP = 1,
	WARTS_TRACE_UDP = 2,
	WARTS_TRACE_TCP = 3,
	WARTS_TRACE_ICMP_PARIS = 4,
	WARTS_TRACE_UDP_PARIS = 5,
	WARTS_TRACE_TCP_ACK = 6,
};

enum warts_trace_stop {
	WARTS_STOP_NONE = 0,
	WARTS_STOP_COMPLETED = 1,
	WARTS_STOP_UNREACH = 2,
	WARTS_STOP_ICMP = 3,
	WARTS_STOP_LOOP = 4,
	WARTS_STOP_GAPLIMIT = 5,
	WARTS_STOP_ERROR = 6,
	WARTS_STOP_HOPLIMIT = 7,
	WARTS_STOP_GSS = 8,
	WARTS_STOP_HALTED = 9,
	WARTS_STOP_INPROGRESS = 10,
};

/* Bits of warts_trace.flags. */
#define WARTS_TRACE_ALLATTEMPTS 0x0001
#define WARTS_TRACE_PMTUD 0x0002
#define WARTS_TRACE_DL 0x0004
#define WARTS_TRACE_IGNORETTLDST 0x0008
#define WARTS_TRACE_DOUBLETREE 0x0010
#define WARTS_TRACE_ICMPCSUM 0x0020
#define WARTS_TRACE_CONSTPAYLOAD 0x0040
#define WARTS_TRACE_RXERR 0x0080
#define WARTS_TRACE_PTR 0x0100
#define WARTS_TRACE_RAW 0x0200
#define WARTS_TRACE_BACK 0x0400

/* Bits of warts_hop.flags. */
#define WARTS_HOP_SOCKRXTS 0x01 /* receive time from the socket */
#define WARTS_HOP_DLTXTS 0x02 /* transmit time from the datalink */
#define WARTS_HOP_DLRXTS 0x04 /* receive time from the datalink */
#define WARTS_HOP_TSC 0x08 /* 2021 only */
#define WARTS_HOP_REPLYTTL 0x10 /* reply_ttl is valid */
#define WARTS_HOP_TCP 0x20 /* the reply is TCP */
#define WARTS_HOP_UDP 0x40 /* the reply is UDP */

/* One ICMP extension object (RFC 4884). */
struct warts_ext {
	uint8_t class_num; /* 1 with type 1: MPLS label stack (RFC 4950) */
	uint8_t class_type;
	uint16_t len; /* of data */
	const uint8_t *data;
};

/* All extensions of a reply: together with 4 bytes each below 65,536 bytes. */
struct warts_exts {
	uint16_t count; /* 0: none */
	struct warts_ext *ext;
};

/* Bytes as they are: what a program sent or received. */
struct warts_bytes {
	uint16_t len;
	const uint8_t *data; /* of a decoded record in its body */
};

/* Addresses in an IP option: record route, or those asked for timestamps. */
struct warts_addrs {
	uint8_t count;
	struct addr *addr;
};

/* What an IP timestamp option held (RFC 791): milliseconds since midnight UT,
 * with the addresses they are from where the option had them. */
struct warts_stamps {
	uint8_t count;
	uint8_t addr_count; /* 0, or count */
	uint32_t *stamp_ms;
	struct addr *addr;
};

/* One reply.  Hops of a trace are in order of probe_ttl, then attempt. */
struct warts_hop {
	struct addr addr; /* who replied */
	uint8_t probe_ttl; /* 1..255 */
	uint8_t reply_ttl; /* valid with WARTS_HOP_REPLYTTL */
	uint8_t flags; /* WARTS_HOP_ */
	uint8_t attempt; /* from 0 (shown from 1) */
	uint32_t rtt_us;
	uint8_t
	    icmp_type; /* icmp_code lies behind it: one field of the block */
	uint8_t icmp_code;
	uint16_t probe_size; /* whole IP packet, bytes */
	uint16_t reply_size; /* whole IP packet, bytes */
	uint16_t reply_ipid; /* 0 for IPv6 */
	uint8_t reply_tos;
	uint16_t nhmtu; /* of a packet too big */
	uint16_t q_len; /* quoted: total length */
	uint8_t q_ttl; /* quoted: TTL */
	uint8_t q_tos; /* quoted: ToS */
	uint8_t tcp_flags;
	struct warts_tv tx; /* probe sent; sec 0: not known */
	const char *name; /* PTR name, or NULL */
	struct warts_exts exts;
	uint32_t gid; /* address by its record (obsolete), 0 if `addr' has it */
	uint32_t has;
};

/* Attached section 1: path MTU discovery. */
enum warts_note_type {
	WARTS_NOTE_PTB = 1, /* packet too big with a next-hop MTU */
	WARTS_NOTE_PTB_BAD = 2, /* packet too big, next-hop MTU of no use */
	WARTS_NOTE_SILENCE = 3, /* large packets vanish */
};

struct warts_pmtud_note {
	uint8_t type; /* enum warts_note_type */
	uint16_t nhmtu;
	uint16_t hop; /* index into pmtud hops, if has_hop */
	uint8_t has_hop;
	uint32_t has;
};

struct warts_pmtud {
	uint16_t if_mtu, path_mtu, out_mtu; /* 0: not determined */
	uint8_t version; /* 1: hops only, 2; 0 is written as 2 */
	uint8_t note_count;
	uint16_t hop_count;
	struct warts_hop *hops;
	struct warts_pmtud_note *notes;
	uint32_t has;
};

/* Attached section 2: probes of the last ditch. */
struct warts_lastditch {
	uint16_t hop_count;
	struct warts_hop *hops;
};

/* Attached section 3: doubletree. */
struct warts_dtree {
	uint8_t first_ttl;
	uint8_t flags; /* 1: no backward probing */
	struct addr lss_stop; /* ADDR_NONE if not so stopped */
	struct addr gss_stop; /* ADDR_NONE if not so stopped */
	const char *lss_name; /* NULL if none */
	uint32_t lss_gid, gss_gid; /* as warts_hop.gid */
	uint32_t has;
};

struct warts_trace {
	uint32_t list, cycle; /* file-local, 0 none */
	struct addr src; /* ADDR_NONE if not known */
	struct addr dst;
	struct addr rtr; /* -r, or ADDR_NONE */
	struct warts_tv start;
	uint8_t stop_reason; /* enum warts_trace_stop */
	uint8_t stop_data;
	uint32_t flags; /* WARTS_TRACE_ */
	uint8_t attempts; /* -q */
	uint8_t hop_limit; /* -m, 0 none */
	uint8_t method; /* enum warts_trace_method */
	uint16_t probe_size; /* whole IP packet, bytes */
	uint16_t sport; /* or ICMP id */
	uint16_t dport; /* or ICMP checksum with WARTS_TRACE_ICMPCSUM */
	uint8_t first_ttl;
	uint8_t tos;
	uint8_t wait_s; /* -w */
	uint8_t loops; /* -l */
	uint8_t loop_action; /* 0 */
	uint16_t hop_count; /* ttls covered, silent ones too; 0..255 */
	uint8_t gap_limit;
	uint8_t gap_action; /* 1 stop, 2 last ditch */
	uint16_t probe_count;
	uint8_t wait_probe_cs; /* -W, hundredths of a second */
	uint8_t confidence;
	uint32_t user_id; /* -U */
	uint16_t offset; /* IPv6 fragment offset, 8 bytes */
	uint8_t squeries; /* -N; 1 if absent */
	uint8_t stop_ttl; /* 2026 field 33, 0 if absent */
	const char *errmsg; /* NULL if none */
	uint16_t nhops;
	struct warts_hop *hops; /* nhops */
	struct warts_pmtud *pmtud; /* NULL if no such section */
	struct warts_lastditch *lastditch; /* NULL if no such section */
	struct warts_dtree *dtree; /* NULL if no such section */
	uint32_t src_gid, dst_gid; /* as warts_hop.gid */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

/* --- ping.c --------------------------------------------------------------- */

enum warts_ping_stop {
	WARTS_PING_STOP_NONE = 0,
	WARTS_PING_STOP_COMPLETED = 1,
	WARTS_PING_STOP_ERROR = 2,
	WARTS_PING_STOP_HALTED = 3,
	WARTS_PING_STOP_INPROGRESS = 4,
};

enum warts_ping_method {
	WARTS_PING_ICMP_ECHO = 0,
	WARTS_PING_TCP_ACK = 1,
	WARTS_PING_TCP_ACK_SPORT = 2,
	WARTS_PING_UDP = 3,
	WARTS_PING_UDP_DPORT = 4,
	WARTS_PING_ICMP_TIME = 5,
	WARTS_PING_TCP_SYN = 6,
	WARTS_PING_TCP_SYNACK = 7,
	WARTS_PING_TCP_RST = 8,
	WARTS_PING_TCP_SYN_SPORT = 9, /* from here on not in 2021 */
	WARTS_PING_UDP_SPORT = 10,
};

/* Their names, as scamper spells them in commands and in JSON; then NULL. */
extern const char *const warts_ping_methods[];

/* Which probes a ping method sends; neither: TCP. */
static inline int
warts_ping_is_icmp(uint8_t method)
{
	return method == WARTS_PING_ICMP_ECHO || method == WARTS_PING_ICMP_TIME;
}
static inline int
warts_ping_is_udp(uint8_t method)
{
	return method == WARTS_PING_UDP || method == WARTS_PING_UDP_DPORT ||
	    method == WARTS_PING_UDP_SPORT;
}

/* Bits of warts_ping.flags. */
#define WARTS_PING_V4RR 0x0001
#define WARTS_PING_SPOOF 0x0002
#define WARTS_PING_PAYLOAD 0x0004
#define WARTS_PING_TSONLY 0x0008
#define WARTS_PING_TSANDADDR 0x0010
#define WARTS_PING_ICMPSUM 0x0020
#define WARTS_PING_DL 0x0040
#define WARTS_PING_TBT 0x0080
#define WARTS_PING_NOSRC 0x0100
#define WARTS_PING_RAW 0x0200
#define WARTS_PING_SOCKRX 0x0400
#define WARTS_PING_DLTX 0x0800

/* Bits of warts_ping_reply.flags. */
#define WARTS_REPLY_TTL 0x01 /* reply_ttl is valid */
#define WARTS_REPLY_IPID 0x02 /* reply_ipid is valid */
#define WARTS_REPLY_PROBEIPID 0x04 /* probe_ipid is valid */
#define WARTS_REPLY_DLTX 0x08 /* transmit time from the datalink */
#define WARTS_REPLY_DLRX 0x10 /* receive time from the datalink */
#define WARTS_REPLY_TOS 0x20 /* reply_tos is valid */

/* One reply.  Those of one probe are beside each other, probes ascending. */
struct warts_ping_reply {
	struct addr addr; /* who replied */
	uint8_t flags; /* WARTS_REPLY_ */
	uint8_t reply_ttl;
	uint16_t reply_size; /* whole IP packet, bytes */
	uint8_t
	    icmp_type; /* icmp_code lies behind it: one field of the block */
	uint8_t icmp_code;
	uint32_t rtt_us;
	uint16_t probe; /* its number, from 0, below ping_sent */
	uint16_t reply_ipid, probe_ipid; /* of IPv4 */
	uint32_t reply_fragid; /* of IPv6 (RFC 8200), valid as reply_ipid */
	uint8_t protocol; /* 1, 6, 17 or 58 */
	uint8_t tcp_flags;
	struct warts_addrs rr; /* record route, count 0 if none */
	struct warts_stamps ts; /* timestamp option, count 0 if none */
	struct warts_tv tx; /* probe sent; sec 0: not known */
	/* ICMP timestamp reply (RFC 792): originate, receive, transmit, ms
	 * since midnight UT. */
	uint32_t icmp_ts[3];
	uint8_t has_icmp_ts;
	uint16_t sport; /* of the probe, where it varies; 0 if not said */
	uint8_t reply_tos;
	const char *ifname; /* where it arrived, NULL if not known */
	uint16_t nhmtu; /* of a packet too big */
	uint32_t gid; /* as warts_hop.gid */
	uint32_t has;
};

struct warts_ping {
	uint32_t list, cycle; /* file-local, 0 none */
	struct addr src; /* ADDR_NONE if not known */
	struct addr dst;
	struct addr rtr; /* -r, or ADDR_NONE */
	struct warts_tv start;
	uint8_t stop_reason; /* enum warts_ping_stop */
	uint8_t stop_data;
	uint16_t data_len; /* pattern or, with WARTS_PING_PAYLOAD, payload */
	const uint8_t *data;
	uint16_t probe_count; /* -c */
	uint16_t probe_size; /* whole IP packet, bytes */
	uint8_t wait_s; /* -i, with wait_us */
	uint32_t wait_us; /* 0..999999 */
	uint8_t ttl; /* -m */
	uint16_t reply_count; /* -o, 0: all probes are sent */
	uint16_t ping_sent; /* probes sent */
	uint8_t method; /* enum warts_ping_method */
	uint16_t sport; /* or ICMP id */
	uint16_t dport; /* or first ICMP sequence number */
	uint32_t user_id; /* -U */
	uint32_t flags; /* WARTS_PING_ */
	uint8_t tos;
	struct warts_addrs tsps; /* addresses asked for stamps, or count 0 */
	uint16_t icmp_sum; /* -C, with WARTS_PING_ICMPSUM */
	uint16_t pmtu; /* -M, 0 if not used */
	uint8_t timeout_s; /* -W, with timeout_us */
	uint32_t timeout_us; /* 0..999999 */
	uint32_t tcp_ack; /* -A */
	uint32_t tcp_seq;
	const char *errmsg; /* NULL if none */
	uint16_t nreplies;
	struct warts_ping_reply *replies; /* nreplies */
	uint32_t src_gid, dst_gid; /* as warts_hop.gid */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
