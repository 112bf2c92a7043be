/*
 * fakenet-flood: the fastest stream of probes we can make, to find out how
 * many packets per second fakenet answers.  UDP probes to pseudo-random
 * addresses with TTLs 1..30 are sent from inside fakenet's namespace by a
 * packet socket with sendmmsg(2), paced to a rate; the replies are counted by
 * fakenet itself.
 *
 *	fakenet-flood DEVICE SOURCE RATE SECONDS
 *
 * Prints packets sent, refused by a full queue, and seconds.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"

#define BATCH 64
#define LEN 44 /* of a probe */
#define SLICE_NS (NS_PER_MS / 2)

static uint8_t pkt[BATCH][LEN];

static uint16_t
sum16(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (; len > 0; len -= 2, p += 2)
		sum += (uint32_t)(p[0] << 8 | p[1]);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Make PKT the N-th probe: another destination, another TTL. */
static void
patch(uint8_t *p, uint64_t n)
{
	uint32_t dst = (uint32_t)(n * 2654435761u);
	uint16_t sum;

	p[8] = (uint8_t)(1 + n % 30);
	p[16] = (uint8_t)(1 + (dst >> 24) % 99);
	p[17] = (uint8_t)(dst >> 16);
	p[18] = (uint8_t)(dst >> 8);
	p[19] = 7;
	p[10] = p[11] = 0;
	sum = sum16(p, 20);
	p[10] = (uint8_t)(sum >> 8);
	p[11] = (uint8_t)sum;
}

static void
prepare(struct mmsghdr *msg, struct iovec *iov, const char *source)
{
	for (int i = 0; i < BATCH; i++) {
		uint8_t *p = pkt[i];

		p[0] = 0x45;
		p[3] = LEN;
		p[9] = IPPROTO_UDP;
		if (inet_pton(AF_INET, source, p + 12) != 1)
			log_fatal(EXIT_PERMANENT, "%s: no address", source);
		/* 40000 > 33435, no checksum */
		memcpy(p + 20, "\x9c\x40\x82\x9b\x00\x18\x00\x00", 8);
		iov[i] = (struct iovec){p, LEN};
		memset(&msg[i], 0, sizeof(msg[i]));
		msg[i].msg_hdr.msg_iov = &iov[i];
		msg[i].msg_hdr.msg_iovlen = 1;
	}
}

static int
open_socket(const char *device)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_IP),
	    .sll_ifindex = (int)if_nametoindex(device)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd == -1 || to.sll_ifindex == 0 ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		log_fatal(EXIT_TEMPORARY, "%s: %s", device, strerror(errno));
	if (setsockopt(
		fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) == -1)
		log_fatal(EXIT_TEMPORARY, "bypass: %s", strerror(errno));
	return fd;
}

/* Send up to DUE probes; adds what the queue refused to *REFUSED. */
static uint64_t
send_due(
    int fd, struct mmsghdr *msg, uint64_t due, uint64_t sent, uint64_t *refused)
{
	uint64_t done = 0;

	while (done < due) {
		unsigned int n =
		    due - done < BATCH ? (unsigned int)(due - done) : BATCH;
		int r;

		for (unsigned int i = 0; i < n; i++)
			patch(pkt[i], sent + done + i);
		r = sendmmsg(fd, msg, n, 0);
		if (r <= 0) {
			*refused += n;
			r = (int)n;
		}
		done += (uint64_t)r;
	}
	return done;
}

int
main(int argc, char **argv)
{
	struct mmsghdr msg[BATCH];
	struct iovec iov[BATCH];
	struct timespec nap = {0, SLICE_NS};
	uint64_t sent = 0, refused = 0;
	uint32_t rate, seconds;
	int64_t start_ns, now_ns = 0;
	int fd;

	log_init("fakenet-flood", 0, 0);
	if (argc != 5 || scan_u32(argv[3], 1, 10000000, &rate) == -1 ||
	    scan_u32(argv[4], 1, 3600, &seconds) == -1)
		log_fatal(EXIT_PERMANENT,
		    "usage: fakenet-flood DEVICE SOURCE RATE SECONDS");
	fd = open_socket(argv[1]);
	prepare(msg, iov, argv[2]);
	start_ns = clock_mono_ns();
	while (now_ns < seconds * NS_PER_SEC) {
		nanosleep(&nap, NULL);
		now_ns = clock_mono_ns() - start_ns;
		sent += send_due(fd, msg,
		    (uint64_t)now_ns / NS_PER_US * rate / 1000000 - sent, sent,
		    &refused);
	}
	printf("sent %llu refused %llu seconds %.2f\n",
	    (unsigned long long)sent, (unsigned long long)refused,
	    (double)now_ns / NS_PER_SEC);
	return EXIT_DONE;
}
