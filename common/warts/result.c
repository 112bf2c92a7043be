/*
 * warts/result: measurements of any type that the Prober makes (contract:
 * record.h).
 */
#include "common/warts/codec.h"
#include "common/warts/record.h"

void
warts_result_encode(
    struct wbuf *b, uint16_t type, void *result, uint32_t list, uint32_t cycle)
{
	*warts_list_of(type, result) = list;
	*warts_cycle_of(type, result) = cycle;
	warts_encode(b, type, result);
}
