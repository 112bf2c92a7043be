/*
 * show: records as scamper's users know them: text as sc_warts2text prints it,
 * JSON lines as sc_warts2json does.
 *
 * Everything is appended to a buffer, a whole record at a time, with a final
 * newline: the caller writes it to a file, a pipe or a control socket.
 *
 *	record ─► state (lists, cycles) ─► decode ─► text.c │ json.c ─► buffer
 *
 * A record type is a row in show.c's table.  To show a new one: its codec in
 * common/warts, a printer in a file of its own (more.h), the row.
 *
 * JSON differs between scamper's releases; `generation' chooses:
 *
 *	            2021                       2026
 *	blanks      after each comma           none in traces
 *	trace       no flags, monitor, errmsg  all of them
 *	extra hops  among the hops             a list of their own
 *	pmtud       not shown                  shown
 *	ping        ICMP errors are replies    they are counted apart
 *
 * It is always valid JSON.  Where scamper's is not as it should be ours is:
 * the key of the next-hop MTU is "icmp_nhmtu" (scamper 2026: "icmp_nhmtu:"),
 * and strings are escaped.
 */
#ifndef COMMON_SHOW_SHOW_H
#define COMMON_SHOW_SHOW_H

#include <stdint.h>

#include "common/warts/buf.h"
#include "common/warts/state.h"
#include "common/warts/warts.h"

enum show_format { SHOW_TEXT, SHOW_JSON };

enum show_generation { SHOW_2021 = 2021, SHOW_2026 = 2026 };

struct show {
	enum show_format format;
	enum show_generation generation; /* of JSON, and of pings as text */
	struct warts_state state; /* of the file being shown */
};

enum show_result {
	SHOW_DONE, /* shown, or there is nothing to show of it */
	SHOW_SKIPPED, /* of a type that cannot be shown */
	SHOW_DAMAGED, /* *why says what is wrong; shown as far as possible */
};

/*
 * Append record REC to OUT in S's format.  For each file S->state begins as
 * all zero and is cleared by the caller at the end.  WHY is static.
 */
enum show_result show_record(struct show *s, struct wbuf *out,
    const struct warts_record *rec, const char **why);

/* The name of a record type, as "trace"; NULL if not known. */
const char *show_type_name(uint16_t type);

/* How many records there were of each type: "2 list, 1 of type 0x7fff".  All
 * zero is none.  A hostile file may have 65,535 types; beyond the last place
 * they are counted together. */
#define SHOW_TYPES 64

struct show_types {
	struct {
		uint16_t type;
		uint64_t n; /* 0: free, and so are those behind it */
	} count[SHOW_TYPES]; /* by increasing type */
	uint64_t other;
};

/* Count one record of TYPE. */
void show_types_add(struct show_types *t, uint16_t type);
/* How many were counted in all. */
uint64_t show_types_sum(const struct show_types *t);
/* Append "2 list, 1 of type 0x7fff" to OUT. */
void show_types_print(const struct show_types *t, struct wbuf *out);

/* --- text.c --------------------------------------------------------------- */

/* T as sc_warts2text prints it. */
void show_text_trace(struct wbuf *out, const struct warts_trace *t);

/* --- trace.c: what text, JSON and the summary all need ---------------------- */

/* Words for stop_reason ("COMPLETED") and method ("udp-paris"); NULL if not
 * known. */
const char *show_stop_reason(uint8_t reason);
const char *show_method(uint8_t method);

/* The first ttl and the number of ttls of T as readers must understand them:
 * 0 stored means 1, or the ttl of the last hop. */
uint8_t show_first_ttl(const struct warts_trace *t);
uint16_t show_hop_count(const struct warts_trace *t);

/* How far from here the router is that N, a note of T's path MTU discovery, is
 * about, in hops, looking for it from ttl FROM on; 0 if it is about none.
 * Behind it the MTU is n->nhmtu. */
int show_note_distance(
    const struct warts_trace *t, const struct warts_pmtud_note *n, int from);

/* --- json.c --------------------------------------------------------------- */

/*
 * Append RESULT, the struct of a measurement of TYPE (common/warts/codec.h), in
 * FORMAT: what show_record() does with a record of it.
 */
struct show_context;
void show_result(struct wbuf *out, enum show_format format,
    const struct show_context *ctx, uint16_t type, const void *result);

/* One line each.  LIST and CYCLE may be NULL when they are not known. */
struct show_context {
	enum show_generation generation;
	const struct warts_list *list;
	const struct warts_cycle *cycle;
};
void show_json_cycle_start(struct wbuf *out, const struct show_context *ctx);
void show_json_cycle_stop(
    struct wbuf *out, const struct show_context *ctx, uint32_t stop);
void show_json_trace(struct wbuf *out, const struct show_context *ctx,
    const struct warts_trace *t);

/* --- ping.c, ping_json.c ---------------------------------------------------- */

/* Round-trip times are in microseconds, whole ones as scamper counts them. */
struct show_ping_stats {
	uint32_t replies; /* probes that were answered */
	uint32_t dups; /* further answers to the same probe */
	uint32_t errors; /* ICMP errors; in 2021 these are replies */
	uint32_t min_us, max_us, avg_us, stddev_us; /* of replies and dups */
};

/* What GENERATION counts of P. */
struct show_ping_stats
show_ping_stats(const struct warts_ping *p, enum show_generation generation);

/* P as sc_warts2text of GENERATION prints it. */
void show_text_ping(struct wbuf *out, enum show_generation generation,
    const struct warts_ping *p);
/* One line; CTX as for traces. */
void show_json_ping(struct wbuf *out, const struct show_context *ctx,
    const struct warts_ping *p);

#endif
