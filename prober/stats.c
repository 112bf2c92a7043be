/*
 * stats: what happened, for the terminal and for a file.
 *
 * The books: for every list and cycle
 *	accepted = recorded + refused + held + queued + active
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "common/log.h"
#include "prober/prober.h"

static void
print_eta(int64_t seconds)
{
	if (seconds >= 3600)
		fprintf(stderr, "%jdh%02jdm left", (intmax_t)(seconds / 3600),
		    (intmax_t)(seconds % 3600 / 60));
	else
		fprintf(stderr, "%jdm%02jds left", (intmax_t)(seconds / 60),
		    (intmax_t)(seconds % 60));
}

void
stats_progress(struct stats *s, int64_t now_ns)
{
	int64_t since_ns =
	    now_ns - (s->shown_ns != 0 ? s->shown_ns : s->start_ns);
	uint64_t done = s->recorded;

	if (!s->progress || since_ns < NS_PER_SEC / 2)
		return;
	fprintf(stderr, "\r%ju", (uintmax_t)done);
	if (s->total > 0)
		fprintf(stderr, "/%ju", (uintmax_t)s->total);
	fprintf(stderr, " done, %jd packets/s",
	    (intmax_t)((int64_t)(s->sent - s->shown_sent) * NS_PER_SEC /
		since_ns));
	if (s->total > done && done > 0) {
		fputs(", ", stderr);
		print_eta((now_ns - s->start_ns) / NS_PER_SEC *
		    (int64_t)(s->total - done) / (int64_t)done);
	}
	fputs("\033[K", stderr);
	fflush(stderr);
	s->shown_ns = now_ns;
	s->shown_sent = s->sent;
}

void
stats_progress_end(struct stats *s)
{
	if (s->progress && s->shown_ns != 0)
		fputs("\r\033[K", stderr);
}

void
stats_ended(struct stats *s, const struct listcycle *lc)
{
	char books[200];

	snprintf(s->ended[s->cycles_ended++ % STATS_ENDED], STATS_LINE,
	    "list=%u cycle=%u %s", lc->list, lc->cycle,
	    listcycle_books(lc, books, sizeof(books)));
}

/* The oldest first. */
static void
print_ended(FILE *f, const struct stats *s)
{
	uint64_t n = s->cycles_ended;
	uint64_t i = n > STATS_ENDED ? n - STATS_ENDED : 0;

	for (; i < n; i++)
		fprintf(f, "ended %s\n", s->ended[i % STATS_ENDED]);
}

static void
print_counters(FILE *f, const struct stats *s)
{
	fprintf(f,
	    "sent=%ju received=%ju unmatched=%ju recorded=%ju turns=%ju\n"
	    "tx_refused=%ju tx_errors=%ju ring_drops=%ju cycles_ended=%ju\n"
	    "polite_waits=%ju stopped=%d tx_waits=%ju no_room=%ju "
	    "names_left=%ju\n",
	    (uintmax_t)s->sent, (uintmax_t)s->received, (uintmax_t)s->unmatched,
	    (uintmax_t)s->recorded, (uintmax_t)s->turns,
	    (uintmax_t)s->tx_refused, (uintmax_t)s->tx_errors,
	    (uintmax_t)s->ring_drops, (uintmax_t)s->cycles_ended,
	    (uintmax_t)s->polite_waits, s->stopped, (uintmax_t)s->tx_waits,
	    (uintmax_t)s->no_room, (uintmax_t)s->names_left);
}

void
stats_write(
    const struct stats *s, const struct listcycle_table *t, const char *path)
{
	const struct listcycle *lc;
	char *text = NULL, books[256];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return;
	print_counters(f, s);
	TAILQ_FOREACH(lc, t, link)
	{
		fprintf(f, "list=%u cycle=%u %s\n", lc->list, lc->cycle,
		    listcycle_books(lc, books, sizeof(books)));
	}
	print_ended(f, s);
	fclose(f);
	if (atomicfile_show(AT_FDCWD, path, text, len, 0644) == -1)
		log_warn("%s: %s", path, strerror(errno));
	free(text);
}
