/*
 * technique: scamper's notation of a measurement: every option of trace at the
 * edges of its range, bundles, and what is refused, with the reason.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "prober/tech/trace.h"

/* The parser links the technique, which wants an engine that never runs. */
void *
task_state(struct task *t)
{
	(void)t;
	fail();
	return NULL;
}

const void *
task_conf(const struct task *t)
{
	(void)t;
	fail();
	return NULL;
}

const struct addr *
task_src(const struct task *t)
{
	(void)t;
	fail();
	return NULL;
}

const struct addr *
task_dst(const struct task *t)
{
	(void)t;
	fail();
	return NULL;
}

void
probe_send(struct task *t)
{
	(void)t;
	fail();
}

void
probe_wait(struct task *t, int64_t wait_ns)
{
	(void)t;
	(void)wait_ns;
	fail();
}

void
probe_done(struct task *t)
{
	(void)t;
	fail();
}

void *
technique_block(struct task *t)
{
	(void)t;
	fail();
	return NULL;
}

const void *
technique_earlier_block(const struct task *t, const void *block)
{
	(void)t;
	(void)block;
	fail();
	return NULL;
}

void *
technique_extra(void **chain, size_t size)
{
	(void)chain;
	(void)size;
	fail();
	return NULL;
}

uint16_t
task_mtu(const struct task *t)
{
	(void)t;
	fail();
	return 0;
}

void *
technique_scratch(size_t size)
{
	(void)size;
	fail();
	return NULL;
}

/* --- accepted ------------------------------------------------------------------- */

static struct trace_conf
parse(const char *text)
{
	char why[200] = "";
	struct measurement *m = technique_parse(text, NULL, why, sizeof(why));
	struct trace_conf c;

	assert_string_equal(why, "");
	assert_non_null(m);
	assert_string_equal(m->tech->name, "trace");
	assert_int_equal(m->refs, 1);
	assert_string_equal(m->text, text);
	memcpy(&c, m->conf, sizeof(c));
	technique_unref(m);
	return c;
}

static void
defaults(void **state)
{
	struct trace_conf c = parse("trace");

	(void)state;
	assert_int_equal(c.dport, 33435);
	assert_int_equal(c.sport, (getpid() & 0xffff) | 0x8000);
	assert_int_equal(c.sport, technique_default_port());
	assert_int_equal(c.first_ttl, 1);
	assert_int_equal(c.gap_limit, 5);
	assert_int_equal(c.gap_action, 1);
	assert_int_equal(c.loops, 1);
	assert_int_equal(c.hop_limit, 0);
	assert_int_equal(c.method, UDP_PARIS);
	assert_int_equal(c.attempts, 2);
	assert_int_equal(c.tos, 0);
	assert_int_equal(c.wait_s, 5);
	assert_int_equal(c.wait_probe_cs, 0);
	assert_int_equal(c.user_id, 0);
	assert_int_equal(c.flags, 0);
	assert_int_equal(c.payload.len, 0);
}

#define FIELD(m) \
	offsetof(struct trace_conf, m), sizeof(((struct trace_conf *)0)->m)

/* An option with a number: its range, and what it says outside. */
static const struct {
	char letter;
	size_t offset, size;
	uint32_t min, max;
	const char *why;
} numbers[] = {
    {'d', FIELD(dport), 1, 65535, "dport must be within 1 - 65535"},
    {'f', FIELD(first_ttl), 1, 255, "first hop must be within 1 - 255"},
    {'g', FIELD(gap_limit), 1, 255, "gaplimit must be within 1 - 255"},
    {'G', FIELD(gap_action), 1, 2, "gapaction must be within 1 - 2"},
    {'l', FIELD(loops), 0, 255, "loops must be within 0 - 255"},
    {'m', FIELD(hop_limit), 0, 255, "max ttl must be within 0 - 255"},
    {'q', FIELD(attempts), 1, 20, "attempts must be within 1 - 20"},
    {'s', FIELD(sport), 0, 65535, "sport must be within 0 - 65535"},
    {'t', FIELD(tos), 0, 255, "tos must be within 0 - 255"},
    {'U', FIELD(user_id), 0, UINT32_MAX,
	"userid must be within 0 - 4294967295"},
    {'w', FIELD(wait_s), 1, 10, "wait must be within 1 - 10"},
    {'W', FIELD(wait_probe_cs), 0, 200, "wait-probe must be within 0 - 200"},
};

static void
refused(const char *text, const char *reason)
{
	struct addr target;
	char why[200] = "";

	row_is(text);
	assert_null(technique_parse(text, &target, why, sizeof(why)));
	assert_string_equal(why, reason);
}

static uint32_t
value(const struct trace_conf *c, size_t row)
{
	const uint8_t *at = (const uint8_t *)c + numbers[row].offset;
	uint32_t u32;
	uint16_t u16;

	memcpy(&u32, at, numbers[row].size == 4 ? 4 : 0);
	memcpy(&u16, at, numbers[row].size == 2 ? 2 : 0);
	switch (numbers[row].size) {
	case 4:
		return u32;
	case 2:
		return u16;
	default:
		return *at;
	}
}

static void
number_ranges(void **state)
{
	static const char *const junk[] = {
	    "", "x", "1x", "0x1", "1.5", "+1", "-1", "99999999999", "5s"};
	struct trace_conf c;
	char text[80], why[200];

	(void)state;
	for (size_t i = 0; i < LEN(numbers); i++) {
		char o = numbers[i].letter;

		snprintf(text, sizeof(text), "trace -%c %u", o, numbers[i].min);
		c = parse(text);
		/* No port is the default one. */
		assert_true(value(&c, i) ==
		    (o == 's' ? technique_default_port() : numbers[i].min));
		snprintf(text, sizeof(text), "trace -%c %u", o, numbers[i].max);
		c = parse(text);
		assert_true(value(&c, i) == numbers[i].max);
		snprintf(why, sizeof(why), "-%c failed: %s", o, numbers[i].why);
		snprintf(text, sizeof(text), "trace -%c %ju 10.0.0.1", o,
		    (uintmax_t)numbers[i].max + 1);
		refused(text, why);
		if (numbers[i].min > 0) {
			snprintf(text, sizeof(text), "trace -%c %u 10.0.0.1", o,
			    numbers[i].min - 1);
			refused(text, why);
		}
		for (size_t k = 0; k < LEN(junk); k++) {
			snprintf(text, sizeof(text), "trace -%c \"%s\" ::1", o,
			    junk[k]);
			refused(text, why);
		}
	}
}

static void
methods_and_flags(void **state)
{
	static const struct {
		const char *text;
		uint8_t method;
		uint32_t flags;
	} rows[] = {
	    {"trace -P UDP", UDP, 0},
	    {"trace -P icmp", ICMP, 0},
	    {"TRACE -P uDP-PaRiS", UDP_PARIS, 0},
	    {"Trace -P ICMP-Paris", ICMP_PARIS, WARTS_TRACE_ICMPCSUM},
	    {"trace -Q", UDP_PARIS, WARTS_TRACE_ALLATTEMPTS},
	    {"trace -T", UDP_PARIS, WARTS_TRACE_IGNORETTLDST},
	    {"trace -QT", UDP_PARIS,
		WARTS_TRACE_ALLATTEMPTS | WARTS_TRACE_IGNORETTLDST},
	    {"trace -T -Q", UDP_PARIS,
		WARTS_TRACE_ALLATTEMPTS | WARTS_TRACE_IGNORETTLDST},
	    {"trace -TQP udp", UDP,
		WARTS_TRACE_ALLATTEMPTS | WARTS_TRACE_IGNORETTLDST},
	    {"  trace\t-P  udp ", UDP, 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct trace_conf c = parse(rows[i].text);

		row_is(rows[i].text);
		assert_int_equal(c.method, rows[i].method);
		assert_int_equal(c.flags, rows[i].flags);
	}
}

/* -d means something else to each method. */
static void
dport_by_method(void **state)
{
	struct trace_conf c;

	(void)state;
	assert_int_equal(parse("trace -P udp").dport, 33435);
	assert_int_equal(parse("trace -P udp -d 80").dport, 80);
	c = parse("trace -P icmp-paris");
	assert_int_equal(c.dport, c.sport);
	/* As scamper: the checksum does not follow -s. */
	assert_int_equal(
	    parse("trace -P icmp-paris -s 7").dport, technique_default_port());
	assert_int_equal(parse("trace -s 7 -P icmp-paris -d 9").dport, 9);
}

static void
payloads(void **state)
{
	struct trace_conf c = parse("trace -p 00fFAb9c");
	char text[3000] = "trace -p ";

	(void)state;
	assert_int_equal(c.payload.len, 4);
	assert_memory_equal(c.payload.bytes, "\x00\xff\xab\x9c", 4);
	assert_int_equal(trace_payload_len(&c, ADDR_IPV4), 4);
	assert_int_equal(trace_payload_len(&c, ADDR_IPV6), 4);
	c = parse("trace");
	assert_int_equal(trace_payload_len(&c, ADDR_IPV4), 16);
	assert_int_equal(trace_payload_len(&c, ADDR_IPV6), 12);
	assert_int_equal(parse("trace -P udp -p 01").payload.len, 1);
	memset(text + 9, 'a', 2800);
	assert_int_equal(parse(text).payload.len, 1400);
	memset(text + 9, 'a', 2802);
	refused(text, "-p failed: payload must be 1 - 1400 hex bytes");
}

static void
targets(void **state)
{
	struct measurement *m;
	struct addr target, want;
	char why[200];

	(void)state;
	m = technique_parse(
	    "trace -q 1 198.51.100.7", &target, why, sizeof(why));
	assert_non_null(m);
	assert_int_equal(addr_scan("198.51.100.7", &want), 0);
	assert_true(addr_equal(&target, &want));
	technique_unref(m);
	m = technique_parse("trace 2001:DB8::1", &target, why, sizeof(why));
	assert_non_null(m);
	assert_int_equal(addr_scan("2001:db8::1", &want), 0);
	assert_true(addr_equal(&target, &want));
	technique_unref(m);
	/* None is wanted. */
	assert_null(technique_parse("trace ::1", NULL, why, sizeof(why)));
	assert_string_equal(why, "unexpected word ::1");
	assert_null(technique_parse("trace -q 1 -Q x", NULL, why, sizeof(why)));
	assert_string_equal(why, "unexpected word x");
}

/* --- refused ---------------------------------------------------------------------- */

static void
refusals(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"", "empty command"},
	    {" \t ", "empty command"},
	    {"tracer 10.0.0.1", "unknown technique tracer"},
	    {"-q 1 10.0.0.1", "unknown technique -q"},
	    {"\"trace 10.0.0.1", "too many words or an open quote"},
	    {"trace", "no target address"},
	    {"trace -q 1", "no target address"},
	    {"trace 10.0.0.1 10.0.0.2", "more than one target: 10.0.0.2"},
	    {"trace 10.0.0.1 -q 1", "more than one target: -q"},
	    {"trace example.org", "target example.org is not an address"},
	    {"trace 10.0.0", "target 10.0.0 is not an address"},
	    {"trace 10.0.0.256", "target 10.0.0.256 is not an address"},
	    {"trace fe80::1%eth0", "target fe80::1%eth0 is not an address"},
	    {"trace 10.0.0.0/8", "target 10.0.0.0/8 is not an address"},
	    {"trace \"\"", "target  is not an address"},
	    {"trace -x 10.0.0.1", "unknown option -x"},
	    {"trace -Qx 10.0.0.1", "unknown option -x"},
	    {"trace -\xc3\xa9 10.0.0.1", "unknown option -\xc3"},
	    {"trace - 10.0.0.1", "option expected after -"},
	    {"trace -- 10.0.0.1", "unknown option --"},
	    {"trace -q", "-q requires an argument"},
	    {"trace -Qw", "-w requires an argument"},
	    {"trace -q5 10.0.0.1",
		"the argument of -q must be a word of its own"},
	    {"trace -qQ 5 10.0.0.1",
		"the argument of -q must be a word of its own"},
	    {"trace -q 1 -q 2 10.0.0.1", "repeated option -q"},
	    {"trace -Q -Q 10.0.0.1", "repeated option -Q"},
	    {"trace -QTQ 10.0.0.1", "repeated option -Q"},
	    {"trace -P tcpx 10.0.0.1", "-P failed: unknown method tcpx"},
	    {"trace -P udp- 10.0.0.1", "-P failed: unknown method udp-"},
	    {"trace -p 0 10.0.0.1",
		"-p failed: payload must be 1 - 1400 hex bytes"},
	    {"trace -p \"\" 10.0.0.1",
		"-p failed: payload must be 1 - 1400 hex bytes"},
	    {"trace -p 0g 10.0.0.1", "-p failed: payload is not hexadecimal"},
	    {"trace -p 0x12 10.0.0.1", "-p failed: payload is not hexadecimal"},
	    {"trace -p 00 10.0.0.1",
		"a paris payload needs at least two bytes"},
	    {"trace -P icmp-paris -p 00 10.0.0.1",
		"a paris payload needs at least two bytes"},
	    {"trace -f 6 -m 5 10.0.0.1",
		"first hop must not be beyond the max ttl"},
	};
	char text[1200] = "trace";

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		refused(rows[i].text, rows[i].why);
	for (int i = 0; i < 520; i++)
		strcat(text, " x");
	refused(text, "too many words or an open quote");
	assert_int_equal(parse("trace -f 5 -m 5").first_ttl, 5);
	assert_int_equal(parse("trace -f 255 -m 0").first_ttl, 255);
}

/* A reason longer than its room is cut, not written beyond it. */
static void
reason_is_cut(void **state)
{
	char why[20];

	(void)state;
	memset(why, 'x', sizeof(why));
	assert_null(technique_parse("trace -q 0", NULL, why, 11));
	assert_string_equal(why, "-q failed:");
	assert_int_equal(why[11], 'x');
}

static void
references(void **state)
{
	char why[100];
	struct measurement *m = technique_parse("trace", NULL, why, 100);

	(void)state;
	m->refs++;
	technique_unref(m);
	assert_int_equal(m->refs, 1);
	technique_unref(m);
	technique_unref(NULL);
}

/* Every technique has what the engine calls without looking. */
static void
table(void **state)
{
	(void)state;
	for (size_t i = 0; technique_table[i] != NULL; i++) {
		const struct technique *t = technique_table[i];

		row_is(t->name);
		assert_true(t->help && t->opts && t->defaults && t->start &&
		    t->probe && t->sent && t->reply && t->timeout &&
		    t->failed && t->record);
		for (size_t k = 0; t->opts[k].letter != 0; k++) {
			assert_non_null(t->opts[k].name);
			assert_in_range(t->opts[k].offset, 0, t->conf_size - 1);
			for (size_t n = 0; n < k; n++)
				assert_int_not_equal(
				    t->opts[n].letter, t->opts[k].letter);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults),
	    cmocka_unit_test(number_ranges),
	    cmocka_unit_test(methods_and_flags),
	    cmocka_unit_test(dport_by_method),
	    cmocka_unit_test(payloads),
	    cmocka_unit_test(targets),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(reason_is_cut),
	    cmocka_unit_test(references),
	    cmocka_unit_test(table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
