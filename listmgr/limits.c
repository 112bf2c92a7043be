/*
 * limits: what the centre says that the Prober must obey, in two files that it
 * reads (docs/protocol.md).  Politeness is enforced there and not here, so that
 * whatever a generator or a schedule does it holds.
 *
 *	prober-limits	state, caps, and the time until which they are good: a
 *			Prober whose manager has died stops by itself
 *	prober-dnp	the floor of the do-not-probe list, beside the monitor's
 *			own one
 *
 * The files are replaced by rename, then the Prober gets SIGHUP from sync.c.  The time moves
 * only when an eighth of it has passed, so that it is not told each minute.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "listmgr/sync.h"

#define FILE_MAX (16u << 20)

const char *
limits_word(enum limits_state state)
{
	static const char *const words[] = {
	    "on", "stopped", "deadman", "expired"};

	return words[state];
}

/* The time from which on nothing is sent, unless somebody says otherwise:
 * rounded up to eighths of the dead-man time, never before the schedule is
 * over. */
static int64_t
until(int64_t deadman_s, int64_t checked_s, int64_t expires_s)
{
	int64_t step_s = deadman_s / 8, until_s = 0;

	if (deadman_s > 0) {
		step_s += step_s == 0;
		until_s = (checked_s + deadman_s + step_s - 1) / step_s;
		until_s *= step_s;
	}
	if (until_s == 0 || expires_s < until_s)
		until_s = expires_s;
	return until_s;
}

/* Both by the clock of this machine, which may be the one that is wrong. */
static void
say_times(struct limits *l, const char *what, int64_t then_s, int64_t now_s)
{
	char text[2][32];
	struct tm tm;
	time_t t[2] = {then_s, now_s};

	for (int i = 0; i < 2; i++)
		strftime(text[i], sizeof(text[i]), "%Y-%m-%dT%H:%M:%SZ",
		    gmtime_r(&t[i], &tm));
	snprintf(l->reason, sizeof(l->reason), "%s %s, and here it is %s", what,
	    text[0], text[1]);
}

/* Why nothing is sent, for the log. */
static void
say_why(struct limits *l, const struct store_gen *g, int64_t now_s,
    int64_t checked_s)
{
	if (l->state == LIMITS_EXPIRED && g == NULL)
		strcpy(l->reason, "there is no schedule");
	else if (l->state == LIMITS_EXPIRED)
		say_times(
		    l, "the schedule was good until", g->expires_s, now_s);
	else if (l->state == LIMITS_DEADMAN && checked_s <= 0)
		strcpy(l->reason, "there was no good check-in yet");
	else if (l->state == LIMITS_DEADMAN)
		say_times(l, "the last good check-in was at", checked_s, now_s);
}

void
limits_judge(
    struct limits *l, const struct store *st, int64_t now_s, int64_t checked_s)
{
	const struct signed_trust *tr = &st->trust;
	const struct store_gen *g = st->current;
	int64_t deadman_s;

	memset(l, 0, sizeof(*l));
	l->caps = *signed_release_caps(&tr->release, tr->monitor);
	deadman_s = l->caps.deadman_ns / NS_PER_SEC;
	if (g != NULL)
		l->until_s = until(deadman_s, checked_s, g->expires_s);
	strcpy(l->reason, tr->stop.reason);
	if (tr->stop.stopped)
		l->state = LIMITS_STOPPED;
	else if (g == NULL || now_s >= g->expires_s)
		l->state = LIMITS_EXPIRED;
	else if (now_s >= l->until_s)
		l->state = LIMITS_DEADMAN;
	say_why(l, g, now_s, checked_s);
}

char *
limits_print(const struct limits *l)
{
	return xasprintf("probing %s\nrate %u\naddress-rate %u\n"
			 "prefix-rate %u\nuntil %" PRId64 "\n",
	    l->state == LIMITS_ON ? "go" : "stop", l->caps.rate,
	    l->caps.address_rate, l->caps.prefix_rate, l->until_s);
}

static char *
print_dnp(const struct signed_release *r)
{
	char *text = NULL, addr[ADDR_STRLEN];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	fprintf(f, "# of the centre's release %" PRIu64 "\n", r->version);
	for (size_t i = 0; i < r->ndnp; i++)
		fprintf(f, "%s/%u\n", addr_str(&r->dnp[i].addr, addr),
		    r->dnp[i].len);
	fclose(f);
	return text;
}

/* Replace PATH (NULL: nowhere) by TEXT, which is freed.  1 when it was another
 * file before, 0 when not, or when it cannot be done. */
static int
replace(const char *path, char *text, int *said)
{
	char *old;
	size_t len;
	int same = 0, rc = 0;

	if (path != NULL &&
	    atomicfile_read(AT_FDCWD, path, FILE_MAX, &old, &len) == 0) {
		same = len == strlen(text) && memcmp(old, text, len) == 0;
		free(old);
	}
	if (path != NULL && !same) {
		rc = atomicfile_write(
			 AT_FDCWD, path, text, strlen(text), 0644) == 0;
		/* It is tried each second, and said when it is another. */
		if (!rc && *said != errno)
			log_warn("%s: %s: the Prober is not told", path,
			    strerror(errno));
		*said = rc ? 0 : errno;
	}
	free(text);
	return rc;
}

int
limits_write(const struct settings *s, const struct limits *l,
    const struct store *st, int said[2])
{
	int news = 0;

	/* The floor first: who reads limits that let it go on finds the floor
	 * that belongs to them.  Without a release there is nothing in it, and
	 * the limits say stop; but a Prober can be started. */
	if (st->trust.release.version != 0 ||
	    (s->dnp != NULL && access(s->dnp, F_OK) == -1))
		news = replace(s->dnp, print_dnp(&st->trust.release), &said[0]);
	return news | replace(s->limits, limits_print(l), &said[1]);
}
