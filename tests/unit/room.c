/*
 * room: at every rate what waits is about two seconds' worth, who is fast gets
 * there soon, and who is given room has it always.
 */
#include "tests/unit/test.h"

#include "prober/source/source.h"

#define TURN_MS 10

/* A sender that sends what it may, and a queue that RATE commands leave in a
 * second. */
struct world {
	struct room room;
	struct room_client client;
	uint64_t left, starved, lines;
	uint32_t count;
};

static void
turn(struct world *w, uint32_t leave)
{
	uint64_t n = room_of(&w->room, &w->client, w->count);

	if (n != 0) {
		assert_true(n > w->client.told);
		w->client.told = n;
		w->lines++;
	}
	w->count += (uint32_t)(w->client.told - w->client.taken);
	w->client.taken = w->client.told;
	w->starved += leave > w->count;
	if (leave > w->count)
		leave = w->count;
	w->count -= leave;
	w->left += leave;
}

static void
run(struct world *w, uint32_t rate, int seconds)
{
	uint64_t due = 0;

	for (int ms = 0; ms < seconds * 1000; ms += TURN_MS) {
		if (ms % 1000 == 0)
			room_tick(&w->room, w->left + w->count, w->count);
		due += rate * TURN_MS;
		turn(w, (uint32_t)(due / 1000));
		due %= 1000;
	}
}

static void
test_rates(void **state)
{
	static const struct {
		const char *name;
		uint32_t rate, least, most;
	} rows[] = {
	    {"a handful", 7, ROOM_MIN / 2, ROOM_MIN},
	    {"two hundred", 200, 150, 450},
	    {"ten thousand", 10000, 5000, 22000},
	    {"more than the queue has", 1000000, 1, ROOM_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w = {.left = 0};

		row_is(rows[i].name);
		room_init(&w.room);
		run(&w, rows[i].rate, 5);
		w.starved = w.lines = 0;
		run(&w, rows[i].rate, 10);
		assert_int_equal(w.starved, 0);
		assert_in_range(w.count, rows[i].least, rows[i].most);
		/* A line a second, or as many as it takes. */
		assert_true(w.lines <= 20 + rows[i].rate * 10ull / ROOM_MIN);
		/* Slower: the queue is short again once it is empty. */
		run(&w, 7, 30 + ROOM_MAX / 7);
		assert_true(w.count <= ROOM_MIN);
	}
}

/* From nothing to any rate within a dozen answers. */
static void
test_start(void **state)
{
	struct world w = {.left = 0};
	int n;

	(void)state;
	room_init(&w.room);
	for (n = 0; w.room.ahead < ROOM_MAX && n < 100; n++)
		turn(&w, ROOM_MAX);
	assert_in_range(n, 12, 14);
}

/* Who was told nothing yet is told at once; who sends without asking is not. */
static void
test_edges(void **state)
{
	struct room_client c = {.told = 0};
	struct room r;

	(void)state;
	room_init(&r);
	assert_int_equal(room_of(&r, &c, 0), ROOM_MIN);
	c.told = ROOM_MIN;
	assert_int_equal(room_of(&r, &c, 0), 0);
	c.taken = 1000;
	assert_int_equal(room_of(&r, &c, 900), 0);
	assert_int_equal(room_of(&r, &c, ROOM_MIN), 0);
	assert_int_equal(room_of(&r, &c, ROOM_MIN - 1), 1001);
	/* Queued by a process before us: nothing has left yet. */
	room_tick(&r, 10, 5000);
	assert_int_equal(r.ahead, ROOM_MIN);
	/* Queued by somebody else: it still has room once they have gone. */
	c = (struct room_client){.told = 0};
	assert_int_equal(room_of(&r, &c, 60000), 0);
	assert_int_equal(room_of(&r, &c, 0), ROOM_MIN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rates),
	    cmocka_unit_test(test_start),
	    cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
