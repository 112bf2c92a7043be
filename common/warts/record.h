/*
 * warts/record: encode and decode each record type this project knows.
 *
 * Encoders append one whole record (header and body) to B; _write only its body.
 * Measurements other than trace and ping: codec.h.
 * Decoders take a body (without the 8-byte header) and return 0, or -1 with a
 * static reason in *WHY and OUT cleared.  A decoded record's strings point
 * into BODY; what it allocated is released by the type's _clear.
 */
#ifndef COMMON_WARTS_RECORD_H
#define COMMON_WARTS_RECORD_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

/* All fields of L; strings must have no NUL inside. */
void warts_list_encode(struct wbuf *b, const struct warts_list *l);
int warts_list_decode(
    const uint8_t *body, size_t len, struct warts_list *out, const char **why);

/* TYPE is WARTS_CYCLE_START or WARTS_CYCLE_DEF. */
void
warts_cycle_encode(struct wbuf *b, uint16_t type, const struct warts_cycle *c);
int warts_cycle_decode(
    const uint8_t *body, size_t len, struct warts_cycle *out, const char **why);

/* The end of a cycle: its file-local id and the time. */
void warts_cycle_stop_encode(struct wbuf *b, const struct warts_cycle_stop *s);
int warts_cycle_stop_decode(const uint8_t *body, size_t len,
    struct warts_cycle_stop *out, const char **why);

/*
 * Hops in order of probe_ttl, with an address each; dst known; hop_count not
 * below the last ttl; every string below 16,000 bytes and a local stop set's
 * name below 4,000.  A section that outgrows its 4,095 bytes loses hops at its
 * end.
 */
void warts_trace_write(struct wbuf *b, const struct warts_trace *t);
void warts_trace_encode(struct wbuf *b, const struct warts_trace *t);
int warts_trace_decode(
    const uint8_t *body, size_t len, struct warts_trace *out, const char **why);
void warts_trace_clear(struct warts_trace *t);

/*
 * Replies by number of their probe, each with an address; dst known.  Decoding
 * fills in what absence means: timeout_s is wait_s, protocol is ICMP of the
 * destination's family.
 */
void warts_ping_write(struct wbuf *b, const struct warts_ping *p);
void warts_ping_encode(struct wbuf *b, const struct warts_ping *p);
int warts_ping_decode(
    const uint8_t *body, size_t len, struct warts_ping *out, const char **why);
void warts_ping_clear(struct warts_ping *p);

/*
 * Append RESULT, the struct of a measurement of TYPE (codec.h), after putting
 * in the file-local ids LIST and CYCLE.
 */
void warts_result_encode(
    struct wbuf *b, uint16_t type, void *result, uint32_t list, uint32_t cycle);

/* Of a reply to a ping: it is an ICMP message; one that says the probe was too
 * big (RFC 792, 1191, 4443). */
int warts_reply_is_icmp(const struct warts_ping_reply *r);
int warts_reply_is_too_big(const struct warts_ping_reply *r);

/*
 * Append to B the measurement record REC with its file-local list and cycle
 * replaced by LIST and CYCLE; everything else byte for byte.  Works for every
 * type that begins with a parameter block whose fields 1 and 2 are list and
 * cycle (0x0006..0x0011).  Where they were absent they are put in if not 0
 * (in types that always have them, always).  Returns 0, or -1 with a static
 * reason in *WHY and B as it was.
 */
int warts_renumber(struct wbuf *b, const struct warts_record *rec,
    uint32_t list, uint32_t cycle, const char **why);

/* The file-local ids of a measurement record, 0 where absent.  Returns 0, or
 * -1 with *WHY (also for a record that is no measurement). */
int warts_ids(const struct warts_record *rec, uint32_t *list, uint32_t *cycle,
    const char **why);

/* The record's start time, from the field the type keeps it in.  Returns 0, or
 * -1 with *WHY. */
int warts_start_time(
    const struct warts_record *rec, struct warts_tv *start, const char **why);

#endif
