/*
 * mkspool: a writer of traces in place of the Prober, for tests of the way
 * from spool to archive.
 *
 *	mkspool -d SPOOL -n TRACES [-r N] [-s N] [-l LISTS] [-x N] [-h N]
 *	        [-c CYCLE] [-m MONITOR] [-p US] [-f N] [-w] [-e] [-y]
 *
 * Trace I (from 1) has user id I, which is also its record number: a spool in
 * which I were missing or twice would show it.  After a kill the next run goes
 * on with the first number that is not in the spool, as the Prober does from
 * its checkpoint.
 *
 *	-f N	begin with trace N; after a power cut, when records have other
 *		numbers
 *	-r N	seal after every N traces
 *	-s N	each trace starts N seconds after the one before
 *	-l N	lists 1..N take turns
 *	-w	then wait for SIGTERM, sealing at SIGUSR1 (or just seal at
 *		SIGUSR1 while writing)
 *	-e	end the cycles at the end
 *	-y	sync in a second thread
 *	-p US	pause after each trace
 *	-h N	each trace has N hops
 *	-x N	in each list N more addresses were asked for and refused
 *	-c N	the cycle, a Unix time
 *	-m MON	the monitor
 *
 * It keeps an account of each cycle as the Prober does: all is accepted at
 * once, and waits in the queue.
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
#include "common/syncer.h"

#define CYCLE 1700006400u /* 2023-11-15 00:00:00 UTC */
#define LISTS_MAX 16
#define HOPS_MAX 64
#define TICK_EVERY 64 /* traces */

static struct {
	const char *dir, *monitor;
	uint32_t n, from, rotate, step, lists, pause_us, hops, refused, cycle;
	int wait, end, beside;
} opts = {.monitor = "mon", .lists = 1, .hops = 1, .cycle = CYCLE};

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
	struct timespec ts = {us / 1000000, us % 1000000 * 1000};

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

static const struct {
	char letter;
	uint32_t *value;
} numbers[] = {
    {'n', &opts.n},
    {'f', &opts.from},
    {'r', &opts.rotate},
    {'s', &opts.step},
    {'l', &opts.lists},
    {'p', &opts.pause_us},
    {'h', &opts.hops},
    {'x', &opts.refused},
    {'c', &opts.cycle},
};

static void
set_number(char letter)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].letter == letter) {
			*numbers[i].value = number(optarg);
			return;
		}
	}
	exit(EXIT_PERMANENT);
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "d:m:n:f:r:s:l:p:h:x:c:wey")) != -1) {
		if (c == 'd')
			opts.dir = optarg;
		else if (c == 'm')
			opts.monitor = optarg;
		else if (c == 'w')
			opts.wait = 1;
		else if (c == 'e')
			opts.end = 1;
		else if (c == 'y')
			opts.beside = 1;
		else
			set_number((char)c);
	}
	if (opts.dir == NULL || opts.lists < 1 || opts.lists > LISTS_MAX ||
	    opts.hops > HOPS_MAX)
		log_fatal(EXIT_PERMANENT, "bad options");
}

/* How many of the traces 1..I are in list L (from 0). */
static uint32_t
in_list(uint32_t l, uint32_t i)
{
	return i < l ? 0 : (i - l) / opts.lists + (l > 0);
}

/* The books, with I traces recorded. */
static void
say(struct segment_writer *w, uint32_t i)
{
	for (uint32_t l = 0; l < opts.lists; l++) {
		struct segment_account a = {
		    .list = l + 1,
		    .cycle = opts.cycle,
		    .accepted = in_list(l, opts.n) + opts.refused,
		    .recorded = in_list(l, i),
		    .refused = {opts.refused},
		};

		a.queued = a.accepted - a.recorded - opts.refused;
		segment_account(w, &a);
	}
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

static int
put(struct segment_writer *w, int cycle, uint32_t i)
{
	const uint8_t bytes[4] = {192, 0, 2, (uint8_t)i};
	struct warts_hop hops[HOPS_MAX];
	struct warts_trace t = {
	    .src = addr_make(ADDR_IPV4, bytes),
	    .dst = addr_make(ADDR_IPV4, bytes),
	    .start = {opts.cycle + i * opts.step, 0},
	    .user_id = i,
	    .attempts = 1,
	    .method = WARTS_TRACE_ICMP_PARIS,
	    .first_ttl = 1,
	    .squeries = 1,
	    .hop_count = (uint16_t)opts.hops,
	    .nhops = (uint16_t)opts.hops,
	    .hops = hops,
	};

	for (uint32_t h = 0; h < opts.hops; h++) {
		const uint8_t hop[4] = {
		    10, (uint8_t)h, 2, (uint8_t)(i >> h % 8)};

		hops[h] = (struct warts_hop){.addr = addr_make(ADDR_IPV4, hop),
		    .probe_ttl = (uint8_t)(h + 1),
		    .rtt_us = i % 100000,
		    .icmp_type = 11,
		    .probe_size = 44,
		    .reply_size = 56};
	}
	return segment_trace(w, cycle, &t);
}

/* Put trace I, waiting while there is no space.  0, or -1: asked to stop. */
static int
put_some_time(struct segment_writer *w, int cycle, uint32_t i)
{
	while (put(w, cycle, i) == -1) {
		if (segment_is_busy(w)) {
			segment_settle(w, clock_mono_ns());
			continue;
		}
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
	uint32_t from = opts.from != 0 ? opts.from : first_number();

	for (uint32_t i = from; i <= opts.n && !stop_now; i++) {
		if (put_some_time(w, cycles[i % opts.lists], i) == -1)
			return;
		if (rotate_now || i % TICK_EVERY == 0 ||
		    (opts.rotate != 0 && i % opts.rotate == 0))
			say(w, i);
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
	struct segment_config cfg = {.dir = NULL};
	struct segment_writer *w;
	int cycles[LISTS_MAX];
	const char *why = "";

	log_init("mkspool", 0, 0);
	options(argc, argv);
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	cfg.dir = opts.dir;
	cfg.monitor = opts.monitor;
	cfg.syncer = opts.beside ? syncer_new() : NULL;
	w = segment_open(&cfg, clock_mono_ns(), &why);
	if (w == NULL)
		log_fatal(EXIT_TEMPORARY, "%s: %s", why, strerror(errno));
	for (uint32_t l = 0; l < opts.lists; l++) {
		struct segment_cycle c = {.list_id = l + 1,
		    .name = "test",
		    .cycle_id = opts.cycle,
		    .start = opts.cycle,
		    .hostname = "host",
		    .resumed = first_number() != 1};

		cycles[l] = segment_cycle_begin(w, &c);
	}
	write_all(w, cycles);
	if (!stop_now)
		say(w, opts.n);
	puts("written");
	fflush(stdout);
	while (opts.wait && !stop_now) {
		if (rotate_now)
			rotate(w);
		segment_tick(w, clock_mono_ns());
		nap(1000);
	}
	for (uint32_t l = 0; opts.end && l < opts.lists; l++)
		segment_cycle_end(
		    w, cycles[l], opts.cycle + opts.n * opts.step);
	if (segment_close(w, clock_mono_ns()) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot seal: %s", strerror(errno));
	syncer_free(cfg.syncer);
	return EXIT_DONE;
}
