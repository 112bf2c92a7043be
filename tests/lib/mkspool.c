/*
 * mkspool: a writer of traces in place of the Prober, for tests of the way
 * from spool to archive.
 *
 *	mkspool -d SPOOL -n TRACES [-r N] [-s N] [-l LISTS] [-w] [-e]
 *
 * Trace I (from 1) has user id I, which is also its record number: a spool in
 * which I were missing or twice would show it.  After a kill the next run goes
 * on with the first number that is not in the spool, as the Prober does from
 * its checkpoint.
 *
 *	-r N	seal after every N traces
 *	-s N	each trace starts N seconds after the one before
 *	-l N	lists 1..N take turns
 *	-w	then wait for SIGTERM, sealing at SIGUSR1 (or just seal at
 *		SIGUSR1 while writing)
 *	-e	end the cycles at the end
 *	-p US	pause after each trace
 *	-h N	hops of a trace (1)
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment.h"
#include "common/segment_dir.h"

#define CYCLE 1700006400u /* 2023-11-15 00:00:00 UTC */
#define LISTS_MAX 16
#define HOPS_MAX 64
#define TICK_EVERY 64 /* traces */

static struct {
	const char *dir;
	uint32_t n, rotate, step, lists, pause_us, hops;
	int wait, end;
} opts = {.lists = 1, .hops = 1};

static volatile sig_atomic_t rotate_now, stop_now;

static void
on_signal(int signo)
{
	if (signo == SIGUSR1)
		rotate_now = 1;
	else
		stop_now = 1;
}

static void
nap(long us)
{
	struct timespec ts = {.tv_nsec = us * 1000};

	nanosleep(&ts, NULL);
}

static uint32_t
number(const char *s)
{
	uint32_t v;

	if (scan_u32(s, 0, UINT32_MAX, &v) == -1)
		log_fatal(EXIT_PERMANENT, "%s: is not a number", s);
	return v;
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:n:r:s:l:p:h:we")) != -1) {
		switch (c) {
		case 'd':
			opts.dir = optarg;
			break;
		case 'n':
			opts.n = number(optarg);
			break;
		case 'r':
			opts.rotate = number(optarg);
			break;
		case 's':
			opts.step = number(optarg);
			break;
		case 'l':
			opts.lists = number(optarg);
			break;
		case 'p':
			opts.pause_us = number(optarg);
			break;
		case 'h':
			opts.hops = number(optarg);
			break;
		case 'w':
			opts.wait = 1;
			break;
		case 'e':
			opts.end = 1;
			break;
		default:
			exit(EXIT_PERMANENT);
		}
	}
	if (opts.dir == NULL || opts.lists < 1 || opts.lists > LISTS_MAX ||
	    opts.hops < 1 || opts.hops > HOPS_MAX)
		log_fatal(EXIT_PERMANENT, "bad options");
}

static void
rotate(struct segment_writer *w)
{
	rotate_now = 0;
	if (segment_rotate(w, clock_mono_ns()) == -1)
		log_warn("seal: %s", segment_reason(w));
}

/* Number of the first record that is not in the spool. */
static uint32_t
first_number(void)
{
	struct segment_dir d;
	const char *why;
	uint64_t n;

	if (segment_dir_open(&d, opts.dir, 0, &why) == -1)
		log_fatal(EXIT_TEMPORARY, "%s: %s", why, strerror(errno));
	n = d.next_record;
	segment_dir_close(&d);
	return (uint32_t)n;
}

/* Each router answers from an address of its own near the target's. */
static void
make_hops(struct warts_hop *hops, uint32_t i)
{
	for (uint32_t h = 0; h < opts.hops; h++) {
		const uint8_t bytes[4] = {192, 0, (uint8_t)(2 + h), (uint8_t)i};

		hops[h] =
		    (struct warts_hop){.addr = addr_make(ADDR_IPV4, bytes),
			.probe_ttl = (uint8_t)(h + 1),
			.rtt_us = i % 100000,
			.icmp_type = 11,
			.probe_size = 44,
			.reply_size = 56};
	}
}

static int
put(struct segment_writer *w, int cycle, uint32_t i)
{
	const uint8_t bytes[4] = {192, 0, 2, (uint8_t)i};
	struct warts_hop hops[HOPS_MAX];
	struct warts_trace t = {
	    .src = addr_make(ADDR_IPV4, bytes),
	    .dst = addr_make(ADDR_IPV4, bytes),
	    .start = {CYCLE + i * opts.step, 0},
	    .user_id = i,
	    .attempts = 1,
	    .method = WARTS_TRACE_ICMP_PARIS,
	    .first_ttl = 1,
	    .squeries = 1,
	    .hop_count = (uint16_t)opts.hops,
	    .nhops = (uint16_t)opts.hops,
	    .hops = hops,
	};

	make_hops(hops, i);
	return segment_trace(w, cycle, &t);
}

/* Put trace I, waiting while there is no space.  0, or -1: asked to stop. */
static int
put_some_time(struct segment_writer *w, int cycle, uint32_t i)
{
	while (put(w, cycle, i) == -1) {
		nap(20000);
		if (rotate_now)
			rotate(w);
		segment_tick(w, clock_mono_ns());
		if (stop_now)
			return -1;
	}
	return 0;
}

static void
write_all(struct segment_writer *w, const int *cycles)
{
	for (uint32_t i = first_number(); i <= opts.n && !stop_now; i++) {
		if (put_some_time(w, cycles[i % opts.lists], i) == -1)
			return;
		if (rotate_now || (opts.rotate != 0 && i % opts.rotate == 0))
			rotate(w);
		else if (i % TICK_EVERY == 0)
			segment_tick(w, clock_mono_ns());
		if (opts.pause_us != 0)
			nap(opts.pause_us);
	}
}

int
main(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct segment_config cfg = {.monitor = "mon"};
	struct segment_writer *w;
	int cycles[LISTS_MAX];
	const char *why = "";

	log_init("mkspool", 0, 0);
	options(argc, argv);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	cfg.dir = opts.dir;
	w = segment_open(&cfg, clock_mono_ns(), &why);
	if (w == NULL)
		log_fatal(EXIT_TEMPORARY, "%s: %s", why, strerror(errno));
	for (uint32_t l = 0; l < opts.lists; l++) {
		struct segment_cycle c = {.list_id = l + 1,
		    .name = "test",
		    .cycle_id = CYCLE,
		    .start = CYCLE,
		    .hostname = "host",
		    .resumed = first_number() != 1};

		cycles[l] = segment_cycle_begin(w, &c);
	}
	write_all(w, cycles);
	puts("written");
	fflush(stdout);
	while (opts.wait && !stop_now) {
		if (rotate_now)
			rotate(w);
		segment_tick(w, clock_mono_ns());
		nap(1000);
	}
	for (uint32_t l = 0; opts.end && l < opts.lists; l++)
		segment_cycle_end(w, cycles[l], CYCLE + opts.n * opts.step);
	if (segment_close(w, clock_mono_ns()) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot seal: %s", strerror(errno));
	return EXIT_DONE;
}
