#include "common/segment_accounts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

void
segment_accounts_clear(struct segment_accounts *s)
{
	free(s->p);
	memset(s, 0, sizeof(*s));
}

void
segment_accounts_put(
    struct segment_accounts *s, const struct segment_account *a)
{
	uint16_t i;

	for (i = 0; i < s->n; i++) {
		if (s->p[i].list == a->list && s->p[i].cycle == a->cycle)
			break;
	}
	if (i == s->n) {
		assert(i < UINT16_MAX);
		s->p = xreallocarray(s->p, i + 1u, sizeof(*a));
		s->n++;
	}
	s->p[i] = *a;
	s->changed = 1;
}

void
segment_accounts_copy(
    struct segment_accounts *to, const struct segment_accounts *from)
{
	to->p = xreallocarray(to->p, from->n + 1u, sizeof(*to->p));
	if (from->n > 0)
		memcpy(to->p, from->p, from->n * sizeof(*to->p));
	to->n = from->n;
}

/* Is A final, and was it said? */
static int
is_done_with(
    const struct segment_account *a, const struct segment_accounts *said)
{
	if (a->held + a->queued + a->active > 0)
		return 0;
	for (uint16_t i = 0; i < said->n; i++) {
		if (memcmp(&said->p[i], a, sizeof(*a)) == 0)
			return 1;
	}
	return 0;
}

void
segment_accounts_sealed(
    struct segment_accounts *s, const struct segment_accounts *said)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < s->n; i++) {
		if (!is_done_with(&s->p[i], said))
			s->p[n++] = s->p[i];
	}
	s->n = n;
}
