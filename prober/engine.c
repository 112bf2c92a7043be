/*
 * engine: the loop turn.
 *
 *	admit → techniques → transmit → receive → expire → record
 *
 * Every stage is bounded, so that commands, signals and the disk are never
 * starved.  There is one timer: it is set to the next thing that has a time,
 * and a turn does all that is due.  Sending comes first, as it is what the turn
 * was woken in time for.  While a turn is near, replies wait in the ring for
 * it, and the process does not wake up for them.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/names.h"
#include "prober/output.h"
#include "prober/polite.h"
#include "prober/source/source.h"

#define RX_BUDGET 8192 /* packets per turn */
#define SEND_BUDGET 4096 /* packets per turn */
#define RECORD_BUDGET 4096 /* records per turn */
#define TICK_NS NS_PER_SEC
/* A turn nearer than this fetches the replies; else the ring wakes us. */
#define RX_WATCH_NS (2500 * NS_PER_US)
#define NAP_MAX_NS RX_WATCH_NS /* nearer than this: sleep in place */
#define NAPPING_NS (50 * NS_PER_MS) /* then the loop sees to other things */
#define DISK_LOOK_NS (2 * NS_PER_MS) /* while it works: has it done? */

/* --- receive ---------------------------------------------------------------- */

static void
on_reply(void *arg, struct task *t, const struct reply *r)
{
	struct engine *e = arg;

	if (t == NULL || t->where >= TASK_DONE) {
		e->stats.unmatched++;
		return;
	}
	e->stats.received++;
	t->m->tech->reply(t, r);
}

static void
on_packet(void *arg, const uint8_t *pkt, size_t len, int64_t rx_ns)
{
	inbox_packet(arg, pkt, len, rx_ns);
}

/* How many packets there were; RX_BUDGET: there may be more. */
static int
receive(struct engine *e)
{
	int n = rx_poll(e->rx, RX_BUDGET, on_packet, &e->inbox);

	inbox_flush(&e->inbox);
	return n;
}

/* --- admit --------------------------------------------------------------------- */

/* What credits are for: tasks that want one, and refusals that have had one. */
static uint32_t
taken(const struct engine *e)
{
	return window_ready(&e->window) + e->admit.unstarted;
}

/* Tasks from the queue: 1 when it ran empty before WANT are ready or the
 * budget is used up. */
static int
admit_queue(struct engine *e, uint32_t want, uint32_t *budget)
{
	uint32_t queued = e->admit.queue.count;
	int64_t wall_ns = clock_wall_ns();
	struct task *t;
	uint32_t had;

	while ((had = taken(e)) < want) {
		t = admit_next(&e->admit, e->now_ns, budget);
		if (t == NULL && taken(e) > had)
			continue;
		if (t == NULL)
			return queued > 0 && e->admit.queue.count == 0 &&
			    *budget > 0;
		t->m->tech->start(t, wall_ns);
		if (e->source->ops->started != NULL)
			e->source->ops->started(e->source, t);
	}
	return 0;
}

/* New tasks for the credits that no task in progress wants, and for half of the
 * next turn's: after a sleep, all that it takes is cold.  A source that waits
 * until the queue is empty is asked at once: with all of it refused no probe and
 * no reply would make another turn before the next tick. */
static void
admit_most(struct engine *e, uint32_t credits)
{
	uint32_t budget = SEND_BUDGET, want = credits + credits / 2;

	if (window_ready(&e->window) >= credits)
		return;
	do {
		if (e->full || taken(e) >= want)
			return;
		e->wanted = want - taken(e);
		e->source->ops->refill(e->source);
		if (admit_due(&e->admit) > e->now_ns)
			return;
	} while (admit_queue(e, want, &budget));
}

/* Returns what is left of the credits. */
static uint32_t
admit(struct engine *e, uint32_t credits)
{
	uint32_t cost;

	e->admit.unstarted = 0;
	admit_most(e, credits);
	cost = e->admit.unstarted;
	pacer_spend(&e->pacer, cost, e->now_ns);
	return credits > cost ? credits - cost : 0;
}

/* --- names ---------------------------------------------------------------------------- */

/* Has anybody asked for one? */
static int
has_names(const struct engine *e)
{
	return e->window.names != NULL && names_used(e->window.names);
}

/* As many questions as probes, and none while nothing is to be sent. */
static void
run_names(struct engine *e)
{
	uint64_t pps = e->pacer.asked;

	if (!has_names(e))
		return;
	if (polite_stopped(e->polite) != NULL)
		pps = 0;
	else if (pps == 0 || pps > NAMES_PPS)
		pps = NAMES_PPS;
	naming_run(&e->window, (uint32_t)pps);
}

/* --- record -------------------------------------------------------------------------- */

static void
end_cycle_if_over(struct engine *e, struct listcycle *lc)
{
	char books[256];

	if (!listcycle_is_over(lc))
		return;
	log_info("list %u cycle %u: %s", lc->list, lc->cycle,
	    listcycle_books(lc, books, sizeof(books)));
	output_account(e->out, lc);
	output_cycle_end(
	    e->out, lc->out, (uint32_t)(clock_wall_ns() / NS_PER_SEC));
	stats_ended(&e->stats, lc);
	listcycle_to_history(&e->admit.history, lc);
	listcycle_remove(&e->admit.table, lc);
}

/* Cycles without a task left to end them: all refused, or none asked. */
void
engine_end_cycles(struct engine *e)
{
	struct listcycle *lc, *next;

	for (lc = TAILQ_FIRST(&e->admit.table); lc != NULL; lc = next) {
		next = TAILQ_NEXT(lc, link);
		end_cycle_if_over(e, lc);
	}
}

static void
tell_full(struct engine *e)
{
	e->told_full_ns = e->now_ns;
	log_warn("no room for records: admitting nothing until there is");
}

static void
set_full(struct engine *e, int full)
{
	if (full && !e->full) {
		e->stats.no_room++;
		/* A disk that is too slow has room and none by turns. */
		if (e->now_ns - e->told_full_ns >= TICK_NS / 2)
			tell_full(e);
	}
	e->full = full;
}

static void
record(struct engine *e)
{
	struct technique_record rec;
	struct task *t;
	int rc;

	for (int i = 0; i < RECORD_BUDGET; i++) {
		t = window_first_done(&e->window);
		if (t == NULL)
			return;
		if (t->m->tech->names != NULL && has_names(e) &&
		    naming_holds(&e->window, t))
			continue;
		t->m->tech->record(t, &rec);
		rec.number = t->number;
		if (t->halted)
			finish_mark(
			    &rec, WARTS_STOP_HALTED, WARTS_PING_STOP_HALTED);
		rc = output_record(e->out, t->lc->out, &rec);
		window_scratch_reset();
		if (rc == -1) {
			set_full(e, 1);
			return; /* it stays in the window until there is room */
		}
		t->lc->active--;
		t->lc->recorded++;
		e->stats.recorded++;
		window_end(&e->window, t);
	}
}

/* See what the disk has done beside the loop. */
static void
see_to_disk(struct engine *e)
{
	int what = output_poll(e->out, e->now_ns);

	e->disk_busy = what & OUTPUT_BUSY;
	if ((what & OUTPUT_MOVED) == 0)
		return;
	e->disk_busy = 1; /* what is said now may give it more to do */
	set_full(e, (what & OUTPUT_FULL) != 0);
	if (e->source->ops->durable != NULL)
		e->source->ops->durable(e->source);
}

/* All that is finished, however much it is and however slow the disk. */
static void
record_rest(struct engine *e)
{
	while (window_first_done(&e->window) != NULL) {
		if (output_settle(e->out, e->now_ns) == 0)
			e->full = 0;
		if (e->full)
			return;
		record(e);
	}
}

/* --- the turn ---------------------------------------------------------------------------- */

/* While replies are being lost we send slower. */
static void
adapt_rate(struct engine *e)
{
	uint64_t drops = e->stats.ring_drops - e->told_drops;

	if (drops == 0) {
		pacer_recover(&e->pacer);
		return;
	}
	e->told_drops = e->stats.ring_drops;
	pacer_slow(&e->pacer);
	log_warn("%ju replies lost, the receive ring was full: asking again, "
		 "at %ju packets/s for now",
	    (uintmax_t)drops, (uintmax_t)e->pacer.pps);
}

/* A full transmit queue makes itself slower: what it refuses is sent later. */
static void
tell_refused(struct engine *e)
{
	uint64_t n = e->stats.tx_refused - e->told_refused;

	if (n > 0)
		log_info("the transmit queue was full %ju times: sending "
			 "as fast as it takes",
		    (uintmax_t)n);
	e->told_refused = e->stats.tx_refused;
	n = e->stats.tx_waits - e->told_waits;
	if (n > 0)
		log_info("no way for %ju probes for now: trying again",
		    (uintmax_t)n);
	e->told_waits = e->stats.tx_waits;
	n = e->stats.tx_errors - e->told_errors;
	if (n > 0)
		log_warn("%ju probes could not be sent: %s", (uintmax_t)n,
		    strerror(e->stats.tx_error));
	e->told_errors = e->stats.tx_errors;
}

static void
tick(struct engine *e)
{
	struct listcycle *lc;

	polite_tick(e);
	expire_look_for_losses(e);
	adapt_rate(e);
	tell_refused(e);
	e->tick_ns = e->now_ns + TICK_NS;
	for (lc = TAILQ_FIRST(&e->admit.table); lc != NULL;
	     lc = TAILQ_NEXT(lc, link))
		output_account(e->out, lc);
	set_full(e, output_tick(e->out, e->now_ns));
	e->source->ops->tick(e->source);
	engine_end_cycles(e);
	stats_progress(&e->stats, e->now_ns);
	if (e->status != NULL)
		stats_write(&e->stats, &e->admit.table, e->status);
}

static int64_t
earlier(int64_t a_ns, int64_t b_ns)
{
	return a_ns < b_ns ? a_ns : b_ns;
}

/* When is the next turn? */
static int64_t
next_turn(const struct engine *e)
{
	int64_t due_ns, at_ns, pace_ns;

	if (polite_stopped(e->polite) != NULL)
		at_ns = INT64_MAX;
	else if (e->batch.first < e->batch.count)
		at_ns = e->batch.retry_ns;
	else if (window_ready(&e->window) > 0)
		at_ns = e->now_ns;
	else
		at_ns = e->full ? INT64_MAX : admit_due(&e->admit);
	if (at_ns < INT64_MAX) {
		pace_ns = pacer_due(&e->pacer, e->now_ns);
		at_ns = at_ns > pace_ns ? at_ns : pace_ns;
	}
	due_ns = earlier(e->tick_ns, at_ns);
	/* Silence can wait for the next turn that sends, if that is near. */
	at_ns = expire_due(e);
	if (at_ns < due_ns - NAP_MAX_NS)
		due_ns = at_ns;
	due_ns = earlier(due_ns, polite_due(e->polite));
	if (has_names(e))
		due_ns = earlier(due_ns, naming_due(&e->window));
	if (e->disk_busy)
		due_ns = earlier(due_ns, e->now_ns + DISK_LOOK_NS);
	if (!e->full && window_first_done(&e->window) != NULL)
		due_ns = e->now_ns;
	return due_ns;
}

static void
watch_rx(struct engine *e, int on)
{
	if (on == e->rx_watched)
		return;
	if (on)
		event_add(e->rx_event, NULL);
	else
		event_del(e->rx_event);
	e->rx_watched = on;
}

static int
is_over(const struct engine *e)
{
	if (e->stopping == 2)
		return 1;
	if (e->window.count > 0 || hold_count(e->admit.hold) > 0)
		return 0;
	return e->stopping ||
	    (e->admit.queue.count == 0 && !e->source->ops->more(e->source));
}

/* All that is due now. */
static void
turn(struct engine *e)
{
	uint32_t credits;
	int n;

	e->now_ns = e->window.now_ns = clock_mono_ns();
	e->stats.turns++;
	credits = pacer_credits(&e->pacer, e->now_ns);
	if (credits > SEND_BUDGET)
		credits = SEND_BUDGET;
	credits = polite_credits(e, credits);
	window_prefetch_ready(
	    &e->window, credits < ENGINE_BATCH ? credits : ENGINE_BATCH);
	credits = admit(e, credits);
	if (polite_stopped(e->polite) == NULL)
		transmit(e, credits);
	else
		pacer_idle(&e->pacer);
	n = receive(e);
	/* Silence is known only when every reply that is there was seen. */
	if (n < RX_BUDGET && (n > 0 || expire_due(e) <= e->now_ns))
		expire_run(e);
	run_names(e);
	record(e);
	if (e->now_ns >= e->tick_ns)
		tick(e);
	see_to_disk(e);
}

/* Set the timer for DUE; the loop waits for it and for everything else. */
static void
schedule(struct engine *e, int64_t due_ns)
{
	int64_t wait_ns = due_ns - clock_mono_ns();
	struct timeval tv = {0, 0};

	watch_rx(e, wait_ns > RX_WATCH_NS);
	if (wait_ns > 0) {
		tv.tv_sec = wait_ns / NS_PER_SEC;
		/* Rounded up: not to wake before there is a credit. */
		tv.tv_usec = (wait_ns % NS_PER_SEC + NS_PER_US - 1) / NS_PER_US;
	}
	event_add(e->timer, &tv);
}

/*
 * Sleep until DUE right here, if that is near.  This is the cheapest way to
 * wait: no timer is set, no set of descriptors is looked at.  After NAPPING_NS
 * the loop sees to commands; a signal ends the nap.  0: that is not so near.
 */
static int
nap(struct engine *e, int64_t due_ns)
{
	struct timespec ts = {due_ns / NS_PER_SEC, due_ns % NS_PER_SEC};

	if (due_ns - e->now_ns > NAP_MAX_NS ||
	    e->now_ns - e->looped_ns > NAPPING_NS)
		return 0;
	if (due_ns <= e->now_ns)
		return 1;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0;
}

static void
on_event(int fd, short what, void *arg)
{
	struct engine *e = arg;
	int64_t due_ns;

	(void)fd;
	(void)what;
	e->looped_ns = clock_mono_ns();
	do {
		turn(e);
		if (is_over(e)) {
			naming_end_all(&e->window);
			record_rest(e);
			tell_refused(e);
			engine_end_cycles(e);
			event_base_loopbreak(e->base);
			return;
		}
		due_ns = next_turn(e);
	} while (nap(e, due_ns));
	schedule(e, due_ns);
}

static void
on_link(int fd, short what, void *arg)
{
	struct engine *e = arg;

	(void)fd;
	(void)what;
	link_changed(e->link);
}

void
engine_start(struct engine *e)
{
	e->now_ns = e->window.now_ns = clock_mono_ns();
	e->looked_ns = e->now_ns;
	e->tick_ns = e->now_ns + TICK_NS;
	e->stats.start_ns = e->now_ns;
	expire_start(e);
	/* Naps end when asked, not up to 50 us later. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	e->take = e->polite != NULL ? polite_take : window_take_ready;
	e->window.polite = e->admit.polite = e->polite;
	e->inbox.w = &e->window;
	e->inbox.handle = on_reply;
	e->inbox.arg = e;
	e->batch.bytes = xcalloc(ENGINE_BATCH, PROBE_SIZE_MAX);
	e->timer = event_new(e->base, -1, 0, on_event, e);
	e->rx_event =
	    event_new(e->base, rx_fd(e->rx), EV_READ | EV_PERSIST, on_event, e);
	e->link_event = event_new(
	    e->base, link_fd(e->link), EV_READ | EV_PERSIST, on_link, e);
	event_add(e->link_event, NULL);
	engine_kick(e);
}

void
engine_kick(struct engine *e)
{
	struct timeval now = {0, 0};

	/* A turn that is near comes soon enough, and may have its reason. */
	if (e->rx_watched || e->stats.turns == 0)
		event_add(e->timer, &now);
}

void
engine_stop(struct engine *e, int how)
{
	struct timeval now = {0, 0};

	if (how <= e->stopping)
		return;
	e->stopping = how;
	if (how == 1)
		admit_close(&e->admit);
	else
		admit_stop(&e->admit);
	event_add(e->timer, &now);
}

void
engine_clear(struct engine *e)
{
	event_free(e->timer);
	event_free(e->rx_event);
	event_free(e->link_event);
	free(e->batch.bytes);
	free(e->batch.large);
}
