/*
 * warts/list: the list record, type 0x0001 (contract: record.h).
 *
 *	id u32 | user's id u32 | name str | block
 *
 *	field  1 description str   2 monitor str
 */
#include <string.h>

#include "common/warts/block.h"
#include "common/warts/record.h"

static const struct warts_field fields[] = {
    [1] = {.enc = WENC_STR, .offset = offsetof(struct warts_list, descr)},
    [2] = {.enc = WENC_STR, .offset = offsetof(struct warts_list, monitor)},
};
static const struct warts_fields table = {.field = fields, .n = 2};

void
warts_list_encode(struct wbuf *b, const struct warts_list *l)
{
	size_t token = wbuf_record_begin(b, WARTS_LIST);
	uint64_t has = 0;

	wbuf_u32(b, l->id);
	wbuf_u32(b, l->user_id);
	wbuf_str(b, l->name);
	if (l->descr != NULL)
		has |= WARTS_BIT(1);
	if (l->monitor != NULL)
		has |= WARTS_BIT(2);
	warts_block_write(b, &table, l, has);
	wbuf_record_end(b, token);
}

int
warts_list_decode(
    const uint8_t *body, size_t len, struct warts_list *out, const char **why)
{
	struct rbuf r;

	memset(out, 0, sizeof(*out));
	rbuf_init(&r, body, len);
	out->id = rbuf_u32(&r);
	out->user_id = rbuf_u32(&r);
	out->name = rbuf_str(&r);
	warts_block_read(&r, &table, out, NULL);
	if (r.bad == NULL && out->id == 0)
		rbuf_fail(&r, "list has the id 0");
	if (rbuf_finish(&r, why) == 0)
		return 0;
	memset(out, 0, sizeof(*out));
	return -1;
}
