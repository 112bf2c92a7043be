/*
 * transmit: from tasks that are ready to frames in the kernel's hands, a batch
 * at a time.
 *
 *	window.ready → technique → packet_build → batch → tx
 *
 * What the kernel says when it does not take a frame is of three kinds:
 *
 *	no room		ENOBUFS, EAGAIN, ENOMEM: of the queue.  The batch stays
 *			as it is, and is the first of a later turn, for its credits.
 *	no way, now	ENETUNREACH, EHOSTUNREACH, ENETDOWN, ENODEV, ENXIO: of
 *			this frame, perhaps of its interface.  The others go on;
 *			its task asks again after 0.1, 0.2, 0.4 … 6.4 seconds,
 *			by the routes there are then, and is told at last.
 *	never		all others: EPERM of the firewall, EACCES and EINVAL of a
 *			route, EMSGSIZE.  Its task is told.
 *
 * A technique that is told records the error: no probe of which we know that it
 * has not left becomes silence.  A frame not taken costs a credit as one taken,
 * so that a machine without a network is not a busy one.
 */
#include <errno.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

#define TX_RETRY_NS (NS_PER_MS / 4)
#define PUT_OFF_NS (100 * NS_PER_MS) /* then twice as long each time */
#define PUT_OFFS_MAX 7 /* 12.7 s in all; as many as a task can count */
#define HEADERS_MAX 128 /* bytes in front of a payload */
#define FRAME_ALIGN 16 /* PROBE_SIZE_MAX is a multiple */

/* A packet larger than the frames are has a place of its own; there is one. */
static uint8_t *
large_place(struct batch *b)
{
	if (b->large == NULL)
		b->large = xmalloc(UINT16_MAX);
	return b->large;
}

/* Routes may have changed since T's last probe, but for one that was asked
 * for. */
static void
follow_route(struct link *l, struct task *t)
{
	const struct technique *tech = t->m->tech;
	uint8_t epoch = link_epoch(l) & 0x7f;

	if (t->epoch == epoch)
		return;
	if (tech->route == NULL || tech->route(t->m->conf) == NULL)
		t->path = link_follow(l, t->path, &t->dst);
	t->epoch = epoch;
}

/* Put a frame of LEN bytes at BYTES into the batch, for T. */
static void
add_frame(struct batch *b, struct task *t, const struct probe *pr,
    const uint8_t *bytes, int len)
{
	int i = b->count++;

	b->frames[i].packet = bytes;
	b->frames[i].len = (uint16_t)len;
	b->frames[i].family = t->dst.family;
	b->frames[i].path = t->path;
	b->owner[i].task = t;
	b->owner[i].id = pr->id;
}

static int
batch_of(uint32_t most)
{
	return most < ENGINE_BATCH ? (int)most : ENGINE_BATCH;
}

/* Build frames for the tasks that wait longest, close to each other: after a
 * sleep, lines and pages of memory are what costs.  These tasks were fetched
 * before, and those of the next batch are while this one is being sent. */
static void
build_batch(struct engine *e, uint32_t most)
{
	int want = batch_of(most);
	struct batch *b = &e->batch;
	uint8_t *at = b->bytes;
	struct probe pr;
	struct task *t;
	int len, large = 0;

	b->first = b->count = 0;
	while (b->count < want && !large && (t = e->take(&e->window)) != NULL) {
		follow_route(e->link, t);
		t->m->tech->probe(t, &pr);
		large = pr.payload_len > PROBE_SIZE_MAX - HEADERS_MAX;
		if (large)
			at = large_place(b);
		len =
		    packet_build(&pr, at, large ? UINT16_MAX : PROBE_SIZE_MAX);
		if (len == -1) {
			e->stats.tx_errors++;
			e->stats.tx_error = EMSGSIZE;
			t->where = TASK_IDLE;
			t->m->tech->failed(t, EMSGSIZE);
			continue;
		}
		t->where = TASK_SENDING;
		add_frame(b, t, &pr, at, len);
		at += (len + FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN;
	}
	window_prefetch_ready(
	    &e->window, (uint32_t)batch_of(most - (uint32_t)b->count));
}

/* What waited for room may have been overtaken by a reply: not to be sent. */
static void
drop_overtaken(struct batch *b)
{
	int n = b->first;

	for (int i = b->first; i < b->count; i++) {
		if (b->owner[i].task->where != TASK_SENDING)
			continue;
		b->frames[n] = b->frames[i];
		b->owner[n] = b->owner[i];
		n++;
	}
	b->count = n;
}

/* N frames were taken. */
static void
tell_sent(struct engine *e, int n)
{
	struct batch *b = &e->batch;

	for (int i = b->first; i < b->first + n; i++) {
		struct task *t = b->owner[i].task;

		t->where = TASK_IDLE;
		t->put_offs = 0;
		t->m->tech->sent(t, b->owner[i].id, b->frames[i].tx_ns);
		if (t->m->partial != 0)
			partial_sent(e, t, b->owner[i].id);
	}
	b->first += n;
}

/* The queue has no room. */
static int
is_full(int err)
{
	return err == ENOBUFS || err == EAGAIN || err == ENOMEM || err == EINTR;
}

/* There is no way, for the time being. */
static int
has_no_way(int err)
{
	return err == ENETUNREACH || err == EHOSTUNREACH || err == ENETDOWN ||
	    err == ENODEV || err == ENXIO;
}

/* A link without a carrier says that there is no room. */
static int
is_cut(const struct link_path *p)
{
	struct iface i;

	return iface_ask(p->ifindex, &i) == -1 || !i.running;
}

/* T waits until there may be a way for its frame.  -1: it has waited enough. */
static int
put_off(struct engine *e, struct task *t)
{
	if (t->put_offs == PUT_OFFS_MAX)
		return -1;
	t->where = TASK_PUT_OFF;
	timeout_add(&e->window.timeout, t, e->window.now_ns,
	    PUT_OFF_NS << t->put_offs++);
	e->stats.tx_waits++;
	return 0;
}

/* The kernel would not take the first frame.  -1: nor any other, now. */
static int
not_sent(struct engine *e, int err)
{
	struct batch *b = &e->batch;
	struct task *t = b->owner[b->first].task;
	int cut;

	cut = (is_full(err) || has_no_way(err)) &&
	    is_cut(b->frames[b->first].path);
	if (cut) {
		err = ENETDOWN;
		expire_note_loss(e);
	}
	if (is_full(err)) {
		e->stats.tx_refused++;
		pacer_refused(&e->pacer);
		b->retry_ns = e->now_ns + TX_RETRY_NS;
		return -1;
	}
	b->first++;
	pacer_spend(&e->pacer, 1, e->window.now_ns);
	if (has_no_way(err) && put_off(e, t) == 0)
		return 0;
	e->stats.tx_errors++;
	e->stats.tx_error = err;
	t->where = TASK_IDLE;
	t->m->tech->failed(t, err);
	return 0;
}

/* Send MOST of the batch at most.  How many were taken or will not be, or -1:
 * not now. */
static int
send_batch(struct engine *e, uint32_t most)
{
	struct batch *b = &e->batch;
	int n = b->count - b->first;

	n = tx_send(
	    e->tx, b->frames + b->first, (uint32_t)n < most ? n : (int)most);
	if (n == -1)
		return not_sent(e, errno) == -1 ? -1 : 1;
	e->window.now_ns = clock_mono_ns(); /* from here on they wait */
	pacer_spend(&e->pacer, (uint32_t)n, e->window.now_ns);
	e->stats.sent += (uint64_t)n;
	tell_sent(e, n);
	return n;
}

/* Send CREDITS packets: what the kernel had no room for, then new ones. */
void
transmit(struct engine *e, uint32_t credits)
{
	struct batch *b = &e->batch;
	uint32_t now;
	int n;

	if (b->first < b->count) {
		if (e->now_ns < b->retry_ns)
			return;
		drop_overtaken(b);
	}
	while (credits > 0) {
		now = pacer_room(&e->pacer, e->window.now_ns);
		if (now == 0)
			return;
		if (b->first == b->count)
			build_batch(e, credits);
		if (b->first == b->count) {
			pacer_idle(&e->pacer);
			return;
		}
		n = send_batch(e, credits < now ? credits : now);
		if (n == -1)
			return;
		credits -= (uint32_t)n;
	}
}
