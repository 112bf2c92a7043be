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
segment_accounts_sealed(struct segment_accounts *s)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < s->n; i++) {
		if (s->p[i].held + s->p[i].queued + s->p[i].active > 0)
			s->p[n++] = s->p[i];
	}
	s->n = n;
}
