/*
 * Probing commands: what is accepted with which fields, what is refused with
 * which reason, and that printing what was parsed parses to the same.
 *
 * `unit-cmd bench' prints nanoseconds per ip line instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/cmd.h"
#include "common/line.h"

static const char *
parse(const char *line, char *buf, struct cmd *c)
{
	strcpy(buf, line);
	return cmd_parse(buf, c);
}

/* Line, and its canonical form. */
static void
test_accepted(void **state)
{
	static const char *const rows[][2] = {
	    {"ip 192.0.2.1 1 1700000000", "ip 192.0.2.1 1 1700000000\n"},
	    {"  ip\t192.0.2.1  1 1700000000 ", "ip 192.0.2.1 1 1700000000\n"},
	    {"ip 0.0.0.0 0 1", "ip 0.0.0.0 0 1\n"},
	    {"ip 255.255.255.255 2147483647 4294967295",
		"ip 255.255.255.255 2147483647 4294967295\n"},
	    {"ip 2001:DB8::1 7 9", "ip 2001:db8::1 7 9\n"},
	    {"ip ::ffff:192.0.2.1 7 9", "ip ::ffff:192.0.2.1 7 9\n"},
	    {"end 1 1700000000", "end 1 1700000000\n"},
	    {"exit", "exit\n"},
	    {"exit now ", "exit now\n"},
	    {"begin 1 5 probe trace", "begin 1 5 probe trace\n"},
	    {"begin 1 5 from=1 probe trace", "begin 1 5 probe trace\n"},
	    {"begin 1 5 from=18446744073709551615 probe trace",
		"begin 1 5 from=18446744073709551615 probe trace\n"},
	    {"begin 1 5 descr=one name=a.b-c_d probe  trace -P icmp-paris ",
		"begin 1 5 name=a.b-c_d descr=one probe trace -P "
		"icmp-paris\n"},
	    {"begin 1 5 descr=\"two probe words\" probe ping -c 1",
		"begin 1 5 descr=\"two probe words\" probe ping -c 1\n"},
	    {"begin 1 5 probe trace -O \"a  b\"",
		"begin 1 5 probe trace -O \"a  b\"\n"},
	    {"begin 1 5 descr= probe trace", "begin 1 5 probe trace\n"},
	};
	char buf[2048], out[LINE_MAX_COMMAND + 1], again[LINE_MAX_COMMAND + 1];
	struct cmd c;
	int n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_null(parse(rows[i][0], buf, &c));
		n = cmd_format(&c, out, sizeof(out));
		assert_string_equal(out, rows[i][1]);
		assert_int_equal(n, strlen(rows[i][1]));
		out[n - 1] = '\0';
		assert_null(parse(out, buf, &c));
		cmd_format(&c, again, sizeof(again));
		assert_string_equal(again, rows[i][1]);
	}
}

static void
test_refused(void **state)
{
	static const char not_ip[] = "not an IPv4 or IPv6 address";
	static const char bad_list[] = "list number is not 0..2147483647";
	static const char bad_cycle[] =
	    "cycle is not a Unix time 1..4294967295";
	static const char bad_from[] = "from is not a number from 1";
	static const char bad_name[] = "name is not [a-z0-9][a-z0-9_.-]{0,40}";
	static const char *const rows[][2] = {
	    {"", "empty line"},
	    {"  \t", "empty line"},
	    {"probe 1 2", "unknown verb"},
	    {"IP 192.0.2.1 1 5", "unknown verb"},
	    {"ipx 192.0.2.1 1 5", "unknown verb"},
	    {"i", "unknown verb"},
	    {"ip", "address missing"},
	    {"ip ", "address missing"},
	    {"ip 192.0.2.1", "list number missing"},
	    {"ip 192.0.2.1 1", "cycle missing"},
	    {"ip 192.0.2.1 1 ", "cycle missing"},
	    {"ip 192.0.2.1 1 5 x", "more words than ip ADDRESS LIST CYCLE"},
	    {"ip 192.0.2 1 5", not_ip},
	    {"ip 192.0.2.1.1 1 5", not_ip},
	    {"ip 192.0.2.256 1 5", not_ip},
	    {"ip 192.0.2.01 1 5", not_ip},
	    {"ip 192.0.2.00 1 5", not_ip},
	    {"ip 0x7f.0.0.1 1 5", not_ip},
	    {"ip 192.0.2.1x 1 5", not_ip},
	    {"ip 192.0..1 1 5", not_ip},
	    {"ip 192.0.2.99999999999999999999 1 5", not_ip},
	    {"ip fe80::1%eth0 1 5", not_ip},
	    {"ip 2001:db8::1::2 1 5", not_ip},
	    {"ip 1:2:3:4:5:6:7:8:9 1 5", not_ip},
	    {"ip www.example.org 1 5", not_ip},
	    {"ip 192.0.2.0/24 1 5", not_ip},
	    {"ip "
	     "0000000000000000000000000000000000000000000000000000000000001 1 "
	     "5",
		not_ip},
	    {"ip 192.0.2.1 -1 5", bad_list},
	    {"ip 192.0.2.1 2147483648 5", bad_list},
	    {"ip 192.0.2.1 99999999999999999999999 5", bad_list},
	    {"ip 192.0.2.1 1x 5", bad_list},
	    {"ip 192.0.2.1 1 0", bad_cycle},
	    {"ip 192.0.2.1 1 4294967296", bad_cycle},
	    {"ip 192.0.2.1 1 1e9", bad_cycle},
	    {"end", "list number missing"},
	    {"end 1", "cycle missing"},
	    {"end 1 5 6", "more words than end LIST CYCLE"},
	    {"exit soon", "exit takes nothing or now"},
	    {"exit now please", "more words than exit now"},
	    {"begin", "list number missing"},
	    {"begin x 5 probe trace", bad_list},
	    {"begin 1", "cycle missing"},
	    {"begin 1 5", "probe missing"},
	    {"begin 1 5 name=a", "probe missing"},
	    {"begin 1 5 probe", "nothing behind probe"},
	    {"begin 1 5 probe  ", "nothing behind probe"},
	    {"begin 1 5 from=0 probe trace", bad_from},
	    {"begin 1 5 from= probe trace", bad_from},
	    {"begin 1 5 from=1x probe trace", bad_from},
	    {"begin 1 5 name= probe trace", bad_name},
	    {"begin 1 5 name=Team probe trace", bad_name},
	    {"begin 1 5 name=../x probe trace", bad_name},
	    {"begin 1 5 name=a name=b probe trace", "a key is there twice"},
	    {"begin 1 5 colour=red probe trace", "unknown key"},
	    {"begin 1 5 trace", "expected key=value or probe"},
	    {"begin 1 5 descr=\"open probe trace", "quote left open"},
	};
	char buf[2048];
	const char *why;
	struct cmd c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		why = parse(rows[i][0], buf, &c);
		if (why == NULL)
			fail_msg("accepted: %s", rows[i][0]);
		assert_string_equal(why, rows[i][1]);
	}
}

static void
test_fields(void **state)
{
	static const uint8_t v4[4] = {192, 0, 2, 17};
	struct addr want = addr_make(ADDR_IPV4, v4);
	char buf[2048];
	struct cmd c;

	(void)state;
	memset(&c, 0xff, sizeof(c));
	assert_null(parse("ip 192.0.2.17 3 77", buf, &c));
	assert_int_equal(c.verb, CMD_IP);
	assert_int_equal(c.list, 3);
	assert_int_equal(c.cycle, 77);
	assert_true(addr_equal(&c.addr, &want));
	/* The line of an ip command is not touched: it is passed on. */
	assert_string_equal(buf, "ip 192.0.2.17 3 77");

	assert_null(parse(
	    "begin 9 8 from=7 name=n descr=\"d e\" probe trace -q", buf, &c));
	assert_int_equal(c.verb, CMD_BEGIN);
	assert_int_equal(c.list, 9);
	assert_int_equal(c.cycle, 8);
	assert_int_equal(c.from, 7);
	assert_string_equal(c.name, "n");
	assert_string_equal(c.descr, "d e");
	assert_string_equal(c.probe, "trace -q");
	assert_null(parse("begin 9 8 probe trace", buf, &c));
	assert_int_equal(c.from, 1);
	assert_string_equal(c.name, "");
	assert_string_equal(c.descr, "");

	assert_null(parse("exit", buf, &c));
	assert_int_equal(c.now, 0);
	assert_null(parse("exit now", buf, &c));
	assert_int_equal(c.now, 1);
}

/* The longest fields that are allowed, and one byte more. */
static void
test_bounds(void **state)
{
	char line[2048], buf[2048], out[LINE_MAX_COMMAND + 1];
	char name[64], descr[300];
	struct cmd c;

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(descr, 'd', sizeof(descr));
	sprintf(
	    line, "begin 1 5 name=%.41s descr=%.255s probe trace", name, descr);
	assert_null(parse(line, buf, &c));
	sprintf(line, "begin 1 5 name=%.42s probe trace", name);
	assert_non_null(parse(line, buf, &c));
	sprintf(line, "begin 1 5 descr=%.256s probe trace", descr);
	assert_string_equal(
	    parse(line, buf, &c), "descr is longer than 255 bytes");

	/* Printing: too long for a line, too long for the buffer, a quote. */
	memset(&c, 0, sizeof(c));
	c.verb = CMD_BEGIN;
	c.list = 1;
	c.cycle = 5;
	memset(line, 'x', sizeof(line));
	line[LINE_MAX_COMMAND - (int)strlen("begin 1 5 probe \n")] = '\0';
	c.probe = line;
	assert_int_equal(cmd_format(&c, out, sizeof(out)), LINE_MAX_COMMAND);
	strcat(line, "x");
	assert_int_equal(cmd_format(&c, out, sizeof(out)), -1);
	c.probe = "trace";
	assert_int_equal(cmd_format(&c, out, 8), -1);
	strcpy(c.descr, "a\"b");
	assert_int_equal(cmd_format(&c, out, sizeof(out)), -1);
}

static int
bench(void)
{
	static char lines[64][64];
	enum { ROUNDS = 200000 };
	struct cmd c;
	int64_t start_ns;
	int bad = 0;

	for (int i = 0; i < 64; i++)
		sprintf(lines[i], "ip %d.%d.%d.%d %d %d", 1 + i * 3, 255 - i,
		    i * 2, i * 37 % 256, 1 + i % 7, 1700000000 + i);
	start_ns = clock_mono_ns();
	for (int r = 0; r < ROUNDS; r++) {
		for (int i = 0; i < 64; i++)
			bad += cmd_parse(lines[i], &c) != NULL;
	}
	printf("cmd_parse: %.1f ns per ip line\n",
	    (double)(clock_mono_ns() - start_ns) / ROUNDS / 64);
	return bad != 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_bounds),
	};

	if (argc > 1 && strcmp(argv[1], "bench") == 0)
		return bench();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
