/*
 * warts/cycle: cycle start (0x0002), definition (0x0003) and stop (0x0004)
 * (contract: record.h).
 *
 *	start, definition:  id u32 | list u32 | user's id u32 | start u32 | block
 *	stop:               id u32 | stop u32 | block without fields
 *
 *	field  1 stop time u32   2 host name str
 */
#include <string.h>

#include "common/warts/block.h"
#include "common/warts/record.h"

static const struct warts_field fields[] = {
    [1] = {.enc = WENC_U32, .offset = offsetof(struct warts_cycle, stop)},
    [2] = {.enc = WENC_STR, .offset = offsetof(struct warts_cycle, hostname)},
};
static const struct warts_fields table = {.field = fields, .n = 2};
static const struct warts_fields no_fields = {.field = NULL, .n = 0};

void
warts_cycle_encode(struct wbuf *b, uint16_t type, const struct warts_cycle *c)
{
	size_t token = wbuf_record_begin(b, type);
	uint64_t has = 0;

	wbuf_u32(b, c->id);
	wbuf_u32(b, c->list);
	wbuf_u32(b, c->user_id);
	wbuf_u32(b, c->start);
	if (c->stop != 0)
		has |= WARTS_BIT(1);
	if (c->hostname != NULL)
		has |= WARTS_BIT(2);
	warts_block_write(b, &table, c, has);
	wbuf_record_end(b, token);
}

int
warts_cycle_decode(
    const uint8_t *body, size_t len, struct warts_cycle *out, const char **why)
{
	struct rbuf r;

	memset(out, 0, sizeof(*out));
	rbuf_init(&r, body, len);
	out->id = rbuf_u32(&r);
	out->list = rbuf_u32(&r);
	out->user_id = rbuf_u32(&r);
	out->start = rbuf_u32(&r);
	warts_block_read(&r, &table, out, NULL);
	if (r.bad == NULL && (out->id == 0 || out->list == 0))
		rbuf_fail(&r, "cycle has the id 0 or no list");
	if (rbuf_finish(&r, why) == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	return -1;
}

void
warts_cycle_stop_encode(struct wbuf *b, const struct warts_cycle_stop *s)
{
	size_t token = wbuf_record_begin(b, WARTS_CYCLE_STOP);

	wbuf_u32(b, s->id);
	wbuf_u32(b, s->stop);
	warts_block_write(b, &no_fields, s, 0);
	wbuf_record_end(b, token);
}

int
warts_cycle_stop_decode(const uint8_t *body, size_t len,
    struct warts_cycle_stop *out, const char **why)
{
	struct rbuf r;

	memset(out, 0, sizeof(*out));
	rbuf_init(&r, body, len);
	out->id = rbuf_u32(&r);
	out->stop = rbuf_u32(&r);
	warts_block_read(&r, &no_fields, out, NULL);
	if (r.bad == NULL && out->id == 0)
		rbuf_fail(&r, "cycle stop has the id 0");
	if (rbuf_finish(&r, why) == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	return -1;
}
