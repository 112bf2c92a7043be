/*
 * generator_due: a new cycle is owed until one has begun that can be the answer,
 * whatever was in the pipes when it was asked for, and whoever dies when.
 *
 * The process is this test: it writes begins, reads what it is told, and dies, in
 * the order of the steps of a row.
 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "listmgr/generator.h"

#define FIRST 1700000000

/* The steps:
 *	d	a new cycle is asked for
 *	b	the process writes a begin of its next cycle, B of the same again
 *	m	the manager takes a line
 *	r	the process reads what it was told
 *	c	it closes its standard input
 *	k	it dies; what it wrote is still to be read
 *	s	and that is done with: another one is started
 *	t	a second has passed
 */
static const struct {
	const char *name;
	const char *steps;
	uint32_t due; /* then */
	const char *heard; /* by the last process, of new-cycle */
} rows[] = {
    {"asked and answered", "bmdrbm", 0, "new-cycle;"},
    {"asked, and nothing yet", "bmdr", 1, "new-cycle;"},
    {"the same cycle again", "bmdrBm", 1, "new-cycle;"},
    {"it was in the pipe", "bmbdm", 1, ""},
    {"... and the order is read by then", "bmbdrm", 1, "new-cycle;"},
    {"... and then the answer", "bmbdrbmm", 0, "new-cycle;"},
    {"written before the order was read", "bmdbm", 1, ""},
    {"... seen so, and read by then", "bmdbtrm", 1, "new-cycle;"},
    {"... and then the answer", "bmdbmrbm", 0, "new-cycle;"},
    {"one that reads no orders", "bmdbmbm", 0, ""},
    {"one that has closed its input", "bmctdbmbm", 0, ""},
    {"... one cycle is not enough", "bmctdbm", 1, ""},
    {"... nor one that was in the pipe", "bmctbdmbm", 1, ""},
    {"in the pipe when it died", "bmbdkms", 1, "new-cycle 1700000002;"},
    {"... the next one obeys", "bmbdkmsrBmbm", 0, "new-cycle 1700000002;"},
    {"before the order was read, and died", "bmdbmks", 1,
	"new-cycle 1700000002;"},
    {"read, not answered, and died", "bmdrks", 1, "new-cycle 1700000001;"},
    {"the answer in the pipe when it died", "bmdrbkms", 0, ""},
    {"the answer after one that was in the pipe", "bmbdrbkmms", 0, ""},
    {"asked when it is dead", "bmbkdms", 1, "new-cycle 1700000002;"},
    {"... the next one keeps no position", "bmbkdmsbm", 0,
	"new-cycle 1700000002;"},
    {"asked before there was one", "dsbm", 1, "new-cycle;"},
    {"... it answers", "dsbmrbm", 0, "new-cycle;"},
    {"twice, two answers in the pipe", "bmdrbdrbmm", 0, "new-cycle;new-cycle;"},
    {"twice, the first answer in the pipe", "bmdrbdm", 1, "new-cycle;"},
    {"twice, and died: one is enough", "bmdddks", 1, "new-cycle 1700000001;"},
};

struct world {
	struct event_base *base;
	struct generator_host host;
	struct generator g;
	int in[2], out[2]; /* pipes as the manager sees them */
	uint32_t cycle;
	char heard[512]; /* by the present process */
};

static void
start(struct world *w)
{
	assert_int_equal(pipe2(w->in, O_NONBLOCK), 0);
	assert_int_equal(pipe2(w->out, O_NONBLOCK), 0);
	w->heard[0] = '\0';
	w->host.now_ns += NS_PER_SEC;
	w->g.started_ns = w->g.next_ns = w->host.now_ns;
	generator_attach(&w->g, w->in[0], w->out[1]);
}

static void
begin(struct world *w)
{
	char line[64];
	int n =
	    snprintf(line, sizeof(line), "begin 1 %u probe trace\n", w->cycle);

	assert_int_equal(write(w->in[1], line, (size_t)n), n);
}

static void
take(struct world *w)
{
	struct merge_line line;

	w->g.dry = 0;
	assert_int_equal(generator_next(&w->g, &line), MERGE_FREE);
}

/* Of what it was told, the orders: all that it has not read yet. */
static void
hear(struct world *w)
{
	char buf[512], *line, *p = buf;
	ssize_t n = read(w->out[0], buf, sizeof(buf) - 1);

	buf[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&p, "\n")) != NULL) {
		if (strncmp(line, "new-cycle", 9) == 0)
			strcat(strcat(w->heard, line), ";");
	}
}

static void
die(struct world *w)
{
	close(w->in[1]);
	close(w->out[0]);
	w->out[0] = -1;
	w->g.dead = 1;
}

static void
step(struct world *w, char what)
{
	switch (what) {
	case 'd':
		generator_changed(&w->g, SCHEDULE_NEW_CYCLE, NULL, 0);
		break;
	case 'b':
		w->cycle++;
		/* FALLTHROUGH */
	case 'B':
		begin(w);
		break;
	case 'm':
		take(w);
		break;
	case 'r':
		hear(w);
		break;
	case 'c':
		close(w->out[0]);
		w->out[0] = -1;
		w->g.told = 0;
		w->g.sent = w->g.heard = 1; /* something to be told */
		break;
	case 'k':
		die(w);
		break;
	case 's':
		generator_detach(&w->g);
		start(w);
		break;
	default:
		generator_tell(&w->g);
	}
}

static void
it_is_owed_until_it_is_answered(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct world w = {.cycle = FIRST};

		row_is(rows[i].name);
		w.base = event_base_new();
		w.host.base = w.base;
		w.host.now_ns = NS_PER_SEC;
		w.g.host = &w.host;
		w.g.number = 1;
		w.g.who = "list 1";
		w.g.max_line = LINE_MAX_COMMAND;
		w.g.state = GENERATOR_RUNNING;
		w.g.fd_in = w.g.fd_out = w.g.next_in = w.g.next_out = -1;
		conduct_init(&w.g.conduct, 0);
		if (rows[i].steps[0] != 'd')
			start(&w);
		for (const char *s = rows[i].steps; *s != '\0'; s++)
			step(&w, *s);
		assert_int_equal(w.g.due, rows[i].due);
		/* What the last one was told, whether it has read it or not. */
		if (strchr(rows[i].steps, 's') != NULL)
			hear(&w);
		assert_string_equal(w.heard, rows[i].heard);
		generator_detach(&w.g);
		line_clear(&w.g.in);
		free(w.g.told_due);
		event_base_free(w.base);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_owed_until_it_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
