/*
 * schedule_limits: what a generator may do, as keys of a schedule's line: one
 * row a key, in the order of the canonical form.
 *
 *	rate=100 line=256 memory=64M processes=30 crowded=30s targets=50000 quiet=5m
 *
 * What is not said is 0, and its default is the List Manager's.  A time that is
 * `never' is kept as UINT32_MAX.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/line.h"
#include "common/scan.h"
#include "common/schedule_own.h"

#define RATE_MAX 100000000
#define PROCESSES_MAX 30000
#define MEMORY_MAX (UINT64_C(1) << 40)
#define TIME_MAX_S (30 * 86400)

/* --- reading -------------------------------------------------------------- */

/* Bytes, or a number with K, M or G behind it. */
static int
scan_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMG";
	size_t len = strlen(s);
	const char *unit = len > 0 ? strchr(units, s[len - 1]) : NULL;
	char digits[21];
	uint64_t n;
	int shift = 0;

	if (unit != NULL && *unit != '\0') {
		shift = 10 * (int)(unit - units + 1);
		len--;
	}
	if (len >= sizeof(digits))
		return -1;
	memcpy(digits, s, len);
	digits[len] = '\0';
	if (scan_u64(digits, 0, MEMORY_MAX >> shift, &n) == -1 ||
	    n << shift < SCHEDULE_MEMORY_MIN)
		return -1;
	*out = n << shift;
	return 0;
}

/* Whole seconds. */
static int
scan_seconds(const char *s, uint32_t *out)
{
	int64_t ns;

	if (strcmp(s, "never") == 0) {
		*out = SCHEDULE_NEVER;
		return 0;
	}
	if (scan_duration(s, NS_PER_SEC, &ns) == -1 || ns < NS_PER_SEC ||
	    ns > TIME_MAX_S * NS_PER_SEC || ns % NS_PER_SEC != 0)
		return -1;
	*out = (uint32_t)(ns / NS_PER_SEC);
	return 0;
}

static int
set_rate(struct schedule_limits *l, const char *value)
{
	return scan_u32(value, 1, RATE_MAX, &l->rate);
}

static int
set_line(struct schedule_limits *l, const char *value)
{
	return scan_u32(value, SCHEDULE_LINE_MIN, LINE_MAX_COMMAND, &l->line);
}

static int
set_memory(struct schedule_limits *l, const char *value)
{
	return scan_size(value, &l->memory);
}

static int
set_processes(struct schedule_limits *l, const char *value)
{
	return scan_u32(value, 1, PROCESSES_MAX, &l->processes);
}

static int
set_crowded(struct schedule_limits *l, const char *value)
{
	return scan_seconds(value, &l->crowded_s);
}

static int
set_targets(struct schedule_limits *l, const char *value)
{
	return scan_u64(value, 1, INT64_MAX, &l->targets);
}

static int
set_quiet(struct schedule_limits *l, const char *value)
{
	return scan_seconds(value, &l->quiet_s);
}

/* --- printing ------------------------------------------------------------- */

static void
print_number(FILE *f, uint64_t n)
{
	fprintf(f, "%" PRIu64, n);
}

/* With the largest unit, so that it becomes no longer than it came. */
static void
print_size(FILE *f, uint64_t n)
{
	int shift = 30;

	while (shift > 0 && n % (UINT64_C(1) << shift) != 0)
		shift -= 10;
	print_number(f, n >> shift);
	if (shift > 0)
		putc(" KMG"[shift / 10], f);
}

static void
print_seconds(FILE *f, uint64_t s)
{
	static const struct {
		uint64_t s;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;

	if (s == SCHEDULE_NEVER) {
		fprintf(f, "never");
		return;
	}
	while (s % units[i].s != 0)
		i++;
	print_number(f, s / units[i].s);
	putc(units[i].unit, f);
}

void
schedule_limits_print(FILE *f, const struct schedule_limits *l)
{
	const struct {
		const char *name;
		uint64_t n;
		void (*print)(FILE *f, uint64_t n);
	} rows[] = {
	    {"rate", l->rate, print_number},
	    {"line", l->line, print_number},
	    {"memory", l->memory, print_size},
	    {"processes", l->processes, print_number},
	    {"crowded", l->crowded_s, print_seconds},
	    {"targets", l->targets, print_number},
	    {"quiet", l->quiet_s, print_seconds},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].n == 0)
			continue;
		fprintf(f, " %s=", rows[i].name);
		rows[i].print(f, rows[i].n);
	}
}

/* --- the keys ------------------------------------------------------------- */

static const char a_time[] = "a time 1s..30d, or never";

const struct schedule_limit_key schedule_limit_keys[] = {
    {"rate", set_rate, "a number 1..100000000"},
    {"line", set_line, "a number 64..1024"},
    {"memory", set_memory, "a size 1M..1024G"},
    {"processes", set_processes, "a number 1..30000"},
    {"crowded", set_crowded, a_time},
    {"targets", set_targets, "a number from 1"},
    {"quiet", set_quiet, a_time},
    {0},
};
