/*
 * warts/codec: measurements of any type, encoded and decoded by one table.
 *
 *	bytes of a body ─► codec's read ─► struct warts_TYPE ─► codec's write ─► bytes
 *
 * A type is a file TYPE.c with its codec and TYPE.h with its structs, and a row
 * in codec.c.  (trace and ping are older: record.h has functions of their own,
 * and their rows call those.)  Which struct a type has:
 *
 *	WARTS_TRACE   struct warts_trace
 *	WARTS_HOST    struct warts_host        and so on
 */
#ifndef COMMON_WARTS_CODEC_H
#define COMMON_WARTS_CODEC_H

#include "common/warts/arena.h"
#include "common/warts/buf.h"
#include "common/warts/state.h"
#include "common/warts/warts.h"

struct warts_codec {
	size_t size; /* of the struct */
	/* Where in it are the list, the cycle (uint32_t, file-local numbers)
	 * and the arena. */
	size_t list, cycle, arena;
	/* Append the body of the record. */
	void (*write)(struct wbuf *b, const void *record);
	/* Read a body into a zeroed struct; failures are in R->bad. */
	void (*read)(struct rbuf *r, void *out);
	/* Fill in addresses named by number, as warts_state_resolve(); NULL
	 * where there are none. */
	int (*resolve)(const struct warts_state *st, void *record);
};

#define WARTS_CODEC(type, w, r, res)                                   \
	{                                                              \
		.size = sizeof(type), .list = offsetof(type, list),    \
		.cycle = offsetof(type, cycle),                        \
		.arena = offsetof(type, arena), .write = w, .read = r, \
		.resolve = res                                         \
	}

/* The codec of TYPE; NULL if it is no measurement that is known. */
const struct warts_codec *warts_codec(uint16_t type);

/* Append the record of TYPE that is in RECORD, its struct. */
void warts_encode(struct wbuf *b, uint16_t type, const void *record);

/*
 * Decode REC, of a type that has a codec, into OUT, its struct.  Returns 0, or
 * -1 with a static reason in *WHY and OUT cleared.  Strings and bytes point into
 * REC's body; warts_clear() releases the rest.
 */
int warts_decode(const struct warts_record *rec, void *out, const char **why);
void warts_clear(uint16_t type, void *record);

/* The file-local numbers in RECORD, a struct of TYPE. */
uint32_t *warts_list_of(uint16_t type, void *record);
uint32_t *warts_cycle_of(uint16_t type, void *record);

/* The types, each in its file. */
extern const struct warts_codec warts_tracelb_codec;
extern const struct warts_codec warts_dealias_codec;
extern const struct warts_codec warts_neighbourdisc_codec;
extern const struct warts_codec warts_tbit_codec;
extern const struct warts_codec warts_sting_codec;
extern const struct warts_codec warts_sniff_codec;
extern const struct warts_codec warts_host_codec;
extern const struct warts_codec warts_http_codec;
extern const struct warts_codec warts_udpprobe_codec;
extern const struct warts_codec warts_owamp_codec;

#endif
