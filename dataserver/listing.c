#include "dataserver/dataserver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/crcline.h"
#include "common/log.h"

void
listing_print(struct listing *l, const struct offer *f)
{
	char sha[2 * SEGMENT_SHA_LEN + 1];

	chan_printf(l->chan,
	    "seg %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s", f->number,
	    f->info.first, f->info.last, f->info.bytes,
	    segment_dir_hex(sha, f->info.sha, sizeof(f->info.sha)));
}

/* A segment in bad/: its hash is in N.why. */
static void
print_bad(struct listing *l, uint64_t number)
{
	char name[SEGMENT_DIR_NAME], *text, *words[3];
	size_t len;

	segment_dir_name(name, number, ".why");
	if (atomicfile_read(l->srv->dir.bad, name, 4096, &text, &len) == -1)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) == NULL) {
		words[0] = strtok(text, " ");
		words[1] = words[0] == NULL ? NULL : strtok(NULL, " ");
		if (words[1] != NULL)
			chan_printf(
			    l->chan, "bad %" PRIu64 " %s", number, words[1]);
	}
	free(text);
}

static void
go_soon(struct listing *l)
{
	static const struct timeval now = {0, 0};

	if (event_add(l->turn, &now) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* One segment per turn of the loop: reading it takes time. */
static void
list_one(struct listing *l)
{
	uint64_t n = l->numbers[l->at++];
	struct offer *f = offers_get(&l->srv->offers, n, 0);

	if (f != NULL)
		listing_print(l, f);
	else if (errno != ENOENT)
		log_warn("spool/%" PRIu64 ".warts: %s", n, strerror(errno));
}

static void
on_turn(int fd, short what, void *arg)
{
	struct listing *l = arg;

	(void)fd;
	(void)what;
	if (l->bad_at < l->nbad)
		print_bad(l, l->bad[l->bad_at++]);
	else if (l->at < l->nnumbers)
		list_one(l);
	else {
		l->done(l->arg);
		return;
	}
	go_soon(l);
}

static size_t
numbers_from(int dirfd, uint64_t from, uint64_t **out)
{
	ssize_t n = segment_dir_list(dirfd, ".warts", out);
	size_t below = 0;

	if (n <= 0)
		return 0;
	while (below < (size_t)n && (*out)[below] < from)
		below++;
	memmove(*out, *out + below, ((size_t)n - below) * sizeof(**out));
	return (size_t)n - below;
}

void
listing_begin(struct listing *l, uint64_t from)
{
	free(l->numbers);
	free(l->bad);
	l->at = l->bad_at = 0;
	l->nnumbers = numbers_from(l->srv->dir.spool, from, &l->numbers);
	l->nbad = numbers_from(l->srv->dir.bad, from, &l->bad);
	go_soon(l);
}

void
listing_init(struct listing *l, struct server *srv, struct chan *chan,
    void (*done)(void *arg), void *arg)
{
	memset(l, 0, sizeof(*l));
	l->srv = srv;
	l->chan = chan;
	l->done = done;
	l->arg = arg;
	l->turn = event_new(srv->base, -1, 0, on_turn, l);
	if (l->turn == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
}

void
listing_clear(struct listing *l)
{
	event_free(l->turn);
	free(l->numbers);
	free(l->bad);
}
