#include <stdio.h>

#include "datasort/datasort.h"

int
plan_due(struct plan *p, int64_t now_s)
{
	int64_t grace_s = p->s->cfg->grace_s;
	struct table_row *row;
	uint32_t w;
	int count = 0;

	for (size_t i = 0; i < p->table.n; i++) {
		row = &p->table.rows[i];
		for (size_t k = row->nopen; k > 0; k--) {
			w = row->open[k - 1];
			if (archive_window_end(row->cycle, w) + grace_s > now_s)
				continue;
			if (archive_close(
				&p->files, row->list, row->cycle, w) == -1)
				return -1;
			table_window(row, w, 0);
			count++;
		}
	}
	return count;
}

/* Which windows have an open file now; those of a cycle that ended have none.
 */
static int
settle_files(struct plan *p)
{
	struct archive_target *t;
	struct table_row *row;

	for (size_t i = 0; i < p->files.count; i++) {
		t = p->files.targets[i];
		if (!t->is_cycle || (!t->exists && t->add.len == 0))
			continue;
		row = plan_row(p, t->list, t->cycle);
		if (row == NULL)
			return -1;
		if (row->stop != 0 && !t->closed && !t->close) {
			t->close = 1;
			t->stop_time = row->stop;
		}
		table_window(row, t->window, !t->closed && !t->close);
	}
	return 0;
}

/* Over: it ended, or its first window passed and no file is open.  A late
 * record brings it back. */
static int
is_over(const struct plan *p, const struct table_row *row, int64_t now_s)
{
	if (row->nopen > 0)
		return 0;
	return row->stop != 0 ||
	    archive_window_end(row->cycle, 0) + p->s->cfg->grace_s <= now_s;
}

static int
settle_rows(struct plan *p, int64_t now_s)
{
	char path[ARCHIVE_PATH_MAX];
	struct table_row *row;

	snprintf(path, sizeof(path), "state/%s/%s/" TABLE_LOG, p->s->monitor,
	    p->s->epoch);
	for (size_t i = p->table.n; i > 0; i--) {
		row = &p->table.rows[i - 1];
		if (row->ended_now &&
		    feed_complete(&p->files, row, &p->feed) == -1)
			return -1;
		row->ended_now = 0;
		if (!is_over(p, row, now_s))
			continue;
		if (archive_line(&p->files, path, table_row_line(row)) == -1)
			return -1;
		table_drop(&p->table, row);
	}
	return 0;
}

int
plan_finish(struct plan *p, int64_t now_s)
{
	p->feed = p->s->feed;
	if (settle_files(p) == -1 || feed_plan(&p->files, &p->feed) == -1)
		return -1;
	return settle_rows(p, now_s);
}
