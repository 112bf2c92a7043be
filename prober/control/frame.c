#include "prober/control/remote.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

void
frame_header(const uint8_t *p, struct frame *f)
{
	f->seq = get_u32(p);
	f->channel = get_u32(p + 4);
	f->len = (uint16_t)(p[8] << 8 | p[9]);
	f->body = NULL;
}

void
frame_write(struct wbuf *out, const struct frame *f)
{
	wbuf_u32(out, f->seq);
	wbuf_u32(out, f->channel);
	wbuf_u16(out, f->len);
	wbuf_bytes(out, f->body, f->len);
}

int
frame_kind(const struct frame *f)
{
	/* Bytes that a message of a kind must have. */
	static const uint8_t need[] = {1, 2, 5, 5, 1, 5, 1, 1, 5};

	if (f->len == 0 || f->body[0] >= sizeof(need) ||
	    f->len < need[f->body[0]])
		return -1;
	return f->body[0];
}

uint32_t
frame_number(const struct frame *f)
{
	return get_u32(f->body + 1);
}

void
frame_put_number(struct wbuf *b, enum frame_kind kind, uint32_t number)
{
	wbuf_u8(b, (uint8_t)kind);
	wbuf_u32(b, number);
}

void
frame_put_hello(struct wbuf *b, const uint8_t *magic, const char *monitor)
{
	size_t len = monitor != NULL ? strlen(monitor) + 1 : 0;

	wbuf_u8(b, FRAME_HELLO);
	wbuf_u8(b, FRAME_MAGIC);
	wbuf_bytes(b, magic, FRAME_MAGIC);
	wbuf_u8(b, (uint8_t)len);
	if (len > 0)
		wbuf_bytes(b, monitor, len);
}

void
frame_put_resume(
    struct wbuf *b, const uint8_t *magic, const uint32_t numbers[3])
{
	wbuf_u8(b, FRAME_RESUME);
	wbuf_u8(b, FRAME_MAGIC);
	wbuf_bytes(b, magic, FRAME_MAGIC);
	for (int i = 0; i < 3; i++)
		wbuf_u32(b, numbers[i]);
}

int
frame_welcome(const struct frame *f, char *buf, size_t size)
{
	size_t len = f->body[1];

	if (len < 2 || len > size || f->len < 2 + len ||
	    f->body[1 + len] != '\0')
		return -1;
	memcpy(buf, f->body + 2, len);
	for (size_t i = 0; i + 1 < len; i++) {
		if (buf[i] <= ' ' || buf[i] > '~')
			return -1;
	}
	return 0;
}

/* --- said and not acknowledged -------------------------------------------------- */

void
frame_queue_add(struct frame_queue *q, const struct frame *f)
{
	struct frame_said *s = xmalloc(sizeof(*s) + f->len);

	s->f = *f;
	memcpy(s->body, f->body, f->len);
	s->f.body = s->body;
	TAILQ_INSERT_TAIL(&q->list, s, link);
	q->bytes += f->len;
}

void
frame_queue_forget(struct frame_queue *q, uint32_t behind)
{
	struct frame_said *s;

	/* Numbers go around. */
	while ((s = TAILQ_FIRST(&q->list)) != NULL &&
	    (int32_t)(s->f.seq - behind) < 0) {
		TAILQ_REMOVE(&q->list, s, link);
		q->bytes -= s->f.len;
		free(s);
	}
}
