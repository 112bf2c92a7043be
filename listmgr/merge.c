/*
 * merge: many streams into one, by weight, in rounds.  Pure: no descriptor,
 * no clock.
 *
 *	weights 3 1      A A A B  A A A B  A A A B ...
 *	A silent         B  B  B  B ...
 *
 * In each round every source has a turn of up to `weight' ip lines.  A source
 * with nothing ready loses the rest of its turn and delays nobody.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "listmgr/listmgr.h"

void
merge_init(struct merge *m, merge_next_cb next)
{
	memset(m, 0, sizeof(*m));
	m->next = next;
	m->left = UINT64_MAX;
}

void
merge_clear(struct merge *m)
{
	free(m->sources);
	memset(m, 0, sizeof(*m));
}

static struct merge_source *
find(struct merge *m, const void *source)
{
	struct merge_source *s = m->sources;

	while (s < m->sources + m->n && s->source != source)
		s++;
	assert(s < m->sources + m->n);
	return s;
}

void
merge_add(struct merge *m, void *source, uint32_t weight)
{
	assert(weight > 0);
	m->sources = xreallocarray(m->sources, m->n + 1, sizeof(*m->sources));
	m->sources[m->n++] = (struct merge_source){source, weight};
}

void
merge_remove(struct merge *m, void *source)
{
	struct merge_source *s = find(m, source);
	size_t i = (size_t)(s - m->sources);

	memmove(s, s + 1, (m->n - i - 1) * sizeof(*s));
	m->n--;
	if (m->at == i)
		m->begun = 0;
	else if (m->at > i)
		m->at--;
	if (m->at == m->n)
		m->at = 0;
}

void
merge_set_weight(struct merge *m, void *source, uint32_t weight)
{
	struct merge_source *s = find(m, source);

	assert(weight > 0);
	s->weight = weight;
	if (s == &m->sources[m->at] && m->credit > weight)
		m->credit = weight;
}

static void
next_turn(struct merge *m)
{
	m->at = m->at + 1 < m->n ? m->at + 1 : 0;
	m->begun = 0;
}

/* One line of whose turn it is; its length, or 0 when the turn was given up. */
static size_t
take_line(struct merge *m, char *buf)
{
	struct merge_source *s = &m->sources[m->at];
	struct merge_line line;
	enum merge_kind kind;

	if (!m->begun) {
		m->credit = s->weight;
		m->free = 0;
		m->begun = 1;
	}
	kind = m->next(s->source, &line);
	if (kind == MERGE_NONE) {
		next_turn(m);
		return 0;
	}
	assert(line.len > 0 && line.len <= MERGE_LINE_MAX);
	memcpy(buf, line.text, line.len);
	m->left -= kind == MERGE_IP;
	if (kind == MERGE_IP || ++m->free > MERGE_FREE_MAX)
		m->credit--;
	if (m->credit == 0)
		next_turn(m);
	return line.len;
}

size_t
merge_fill(struct merge *m, char *buf, size_t size)
{
	size_t len = 0, idle = 0, n;

	while (idle < m->n && m->left > 0 && size - len >= MERGE_LINE_MAX) {
		n = take_line(m, buf + len);
		len += n;
		idle = n == 0 ? idle + 1 : 0;
	}
	return len;
}
