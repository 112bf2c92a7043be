/*
 * partial: what is known of a measurement that goes on, for who wants to look on
 * (-y of trace and ping).  At every N-th probe, when that has left, a record is
 * made as if the measurement ended there, and says that it does not.
 *
 * It is in no books: the one at the end is the result, and has everything.
 */
#include "prober/output.h"

void
partial_sent(struct engine *e, struct task *t, uint32_t id)
{
	struct technique_record rec;

	/* One that is done has its whole record in this turn. */
	if (t->where == TASK_DONE || id == UINT32_MAX ||
	    (id + 1) % t->m->partial != 0 ||
	    !output_wants_partial(e->out, t->lc->out))
		return;
	t->m->tech->record(t, &rec);
	rec.number = t->number;
	finish_mark(&rec, WARTS_STOP_INPROGRESS, WARTS_PING_STOP_INPROGRESS);
	output_partial(e->out, t->lc->out, &rec);
	window_scratch_reset();
}
