/*
 * responder: the truth about the paths of responder.h, for comparison with what
 * was measured.  It answers nothing: that is responder.bpf.c.
 *
 *	responder -t -		as fakenet(8): requests on standard input
 *
 * For each line "DST ...":
 *
 *	DST hop TTL ADDR rtt_us=0	... for each hop that answers
 *	DST end completed TTL
 *	DST end gap TTL			a silent destination: five hops behind
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/log.h"
#include "tests/bench/responder.h"

#define GAP 5 /* silent hops end a trace */
#define LINE_BYTES 512

static void
print_truth(const char *name, const struct addr *dst)
{
	int len = dst->family == ADDR_IPV4 ? 4 : 16;
	struct responder_path p = responder_path(dst->b, len);
	char str[ADDR_STRLEN];
	uint8_t bytes[16];
	struct addr hop;

	for (uint32_t ttl = 1; ttl < p.hops; ttl++) {
		responder_router(&p, ttl, bytes, len);
		hop = addr_make(dst->family, bytes);
		printf(
		    "%s hop %u %s rtt_us=0\n", name, ttl, addr_str(&hop, str));
	}
	if (p.silent) {
		printf("%s end gap %u\n", name, p.hops - 1 + GAP);
		return;
	}
	printf("%s hop %u %s rtt_us=0\n", name, p.hops, addr_str(dst, str));
	printf("%s end completed %u\n", name, p.hops);
}

int
main(int argc, char **argv)
{
	char line[LINE_BYTES], *dst;
	struct addr a;

	log_init("responder", 0, 0);
	if (argc != 3 || strcmp(argv[1], "-t") != 0 || strcmp(argv[2], "-"))
		log_fatal(EXIT_PERMANENT, "usage: responder -t -");
	while (fgets(line, sizeof(line), stdin) != NULL) {
		dst = strtok(line, " \n");
		if (dst == NULL || addr_scan(dst, &a) == -1)
			log_fatal(EXIT_PERMANENT, "not an address: %s",
			    dst != NULL ? dst : "");
		print_truth(dst, &a);
	}
	return EXIT_DONE;
}
