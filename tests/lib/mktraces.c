/*
 * mktraces: a warts file of traces as lines say, for tests of who reads them.
 *
 *	mktraces LIST CYCLE MONITOR <lines >file
 *
 *	192.0.2.1 completed 10.0.0.1 - 10.0.0.3 192.0.2.1
 *	2001:db8::1 gaplimit 2001:db8:f::1 - - - -
 *
 * A line is a destination, how the trace stopped, and who answered at ttl 1, 2
 * and so on; `-' is nobody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/scan.h"
#include "common/warts/record.h"

#define WORDS_MAX 64

static struct addr
address(const char *text)
{
	struct addr a;

	if (addr_scan(text, &a) == -1)
		log_fatal(EXIT_PERMANENT, "%s: not an address", text);
	return a;
}

static void
put_trace(struct wbuf *b, char **words, int n)
{
	struct warts_hop hops[WORDS_MAX];
	struct warts_trace t = {.list = 1,
	    .cycle = 1,
	    .dst = address(words[0]),
	    .stop_reason = strcmp(words[1], "completed") == 0
		? WARTS_STOP_COMPLETED
		: WARTS_STOP_GAPLIMIT,
	    .start = {1700006400, 0},
	    .attempts = 1,
	    .method = WARTS_TRACE_ICMP_PARIS,
	    .first_ttl = 1,
	    .squeries = 1,
	    .hop_count = (uint16_t)(n - 2),
	    .hops = hops};

	t.src = t.dst;
	for (int i = 2; i < n; i++) {
		if (strcmp(words[i], "-") == 0)
			continue;
		hops[t.nhops++] = (struct warts_hop){.addr = address(words[i]),
		    .probe_ttl = (uint8_t)(i - 1),
		    .rtt_us = 1000,
		    .icmp_type = 11,
		    .probe_size = 44,
		    .reply_size = 56};
	}
	warts_trace_encode(b, &t);
}

int
main(int argc, char **argv)
{
	struct warts_list list = {.id = 1, .name = "test"};
	struct warts_cycle cycle = {.id = 1, .list = 1};
	char line[4096], *words[WORDS_MAX];
	struct wbuf b;
	int n;

	if (argc != 4 || scan_u32(argv[1], 0, INT32_MAX, &list.user_id) == -1 ||
	    scan_u32(argv[2], 1, UINT32_MAX, &cycle.user_id) == -1)
		return EXIT_PERMANENT;
	list.monitor = argv[3];
	cycle.start = cycle.user_id;
	wbuf_init(&b);
	warts_list_encode(&b, &list);
	warts_cycle_encode(&b, WARTS_CYCLE_START, &cycle);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		n = scan_words(line, words, WORDS_MAX);
		if (n < 2)
			return EXIT_PERMANENT;
		put_trace(&b, words, n);
	}
	fwrite(b.p, 1, b.len, stdout);
	wbuf_clear(&b);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}
