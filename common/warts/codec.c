#include "common/warts/codec.h"

#include <assert.h>
#include <string.h>

#include "common/warts/record.h"

/* --- trace and ping, by their own functions --------------------------------- */

static void
trace_read(struct rbuf *r, void *out)
{
	const char *why;

	if (warts_trace_decode(r->p, rbuf_left(r), out, &why) == -1)
		rbuf_fail(r, why);
	r->p = r->end;
}

static void
ping_read(struct rbuf *r, void *out)
{
	const char *why;

	if (warts_ping_decode(r->p, rbuf_left(r), out, &why) == -1)
		rbuf_fail(r, why);
	r->p = r->end;
}

static void
trace_write(struct wbuf *b, const void *t)
{
	warts_trace_write(b, t);
}

static void
ping_write(struct wbuf *b, const void *p)
{
	warts_ping_write(b, p);
}

static int
trace_resolve(const struct warts_state *st, void *t)
{
	return warts_state_resolve(st, t);
}

static int
ping_resolve(const struct warts_state *st, void *p)
{
	return warts_state_resolve_ping(st, p);
}

static const struct warts_codec trace_codec =
    WARTS_CODEC(struct warts_trace, trace_write, trace_read, trace_resolve);
static const struct warts_codec ping_codec =
    WARTS_CODEC(struct warts_ping, ping_write, ping_read, ping_resolve);

/* --- all of them ------------------------------------------------------------ */

static const struct warts_codec *const codecs[] = {
    [WARTS_TRACE] = &trace_codec,
    [WARTS_PING] = &ping_codec,
    [WARTS_TRACELB] = &warts_tracelb_codec,
    [WARTS_DEALIAS] = &warts_dealias_codec,
    [WARTS_NEIGHBOURDISC] = &warts_neighbourdisc_codec,
    [WARTS_TBIT] = &warts_tbit_codec,
    [WARTS_STING] = &warts_sting_codec,
    [WARTS_SNIFF] = &warts_sniff_codec,
    [WARTS_HOST] = &warts_host_codec,
    [WARTS_HTTP] = &warts_http_codec,
    [WARTS_UDPPROBE] = &warts_udpprobe_codec,
    [WARTS_OWAMP] = &warts_owamp_codec,
};

const struct warts_codec *
warts_codec(uint16_t type)
{
	return type < sizeof(codecs) / sizeof(codecs[0]) ? codecs[type] : NULL;
}

void
warts_encode(struct wbuf *b, uint16_t type, const void *record)
{
	size_t token = wbuf_record_begin(b, type);

	assert(warts_codec(type) != NULL);
	warts_codec(type)->write(b, record);
	wbuf_record_end(b, token);
}

int
warts_decode(const struct warts_record *rec, void *out, const char **why)
{
	const struct warts_codec *c = warts_codec(rec->type);
	struct rbuf r;

	assert(c != NULL);
	memset(out, 0, c->size);
	rbuf_init(&r, rec->body, rec->len);
	c->read(&r, out);
	if (rbuf_finish(&r, why) == 0)
		return 0;
	warts_clear(rec->type, out);
	return -1;
}

void
warts_clear(uint16_t type, void *record)
{
	const struct warts_codec *c = warts_codec(type);
	struct warts_arena *arena;

	memcpy(&arena, (char *)record + c->arena, sizeof(arena));
	warts_arena_free(&arena);
	memset(record, 0, c->size);
}

uint32_t *
warts_list_of(uint16_t type, void *record)
{
	return (uint32_t *)((char *)record + warts_codec(type)->list);
}

uint32_t *
warts_cycle_of(uint16_t type, void *record)
{
	return (uint32_t *)((char *)record + warts_codec(type)->cycle);
}
