/*
 * warts/result: measurements of any type that the Prober makes (contract:
 * record.h).  A new one is a case here.
 */
#include <assert.h>

#include "common/warts/record.h"

void
warts_result_encode(
    struct wbuf *b, uint16_t type, void *result, uint32_t list, uint32_t cycle)
{
	struct warts_trace *t = result;
	struct warts_ping *p = result;

	switch (type) {
	case WARTS_TRACE:
		t->list = list;
		t->cycle = cycle;
		warts_trace_encode(b, t);
		break;
	case WARTS_PING:
		p->list = list;
		p->cycle = cycle;
		warts_ping_encode(b, p);
		break;
	default:
		assert(!"a type that is measured");
	}
}
