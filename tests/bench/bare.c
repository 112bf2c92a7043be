/*
 * bare: what the kernel takes for sending and nothing else: probes as the
 * Prober's, built in place, leave by the same way (AF_PACKET, cooked, past the
 * queueing discipline, sendmmsg), paced with one wake-up per millisecond.  No
 * state, no replies: the measure of what state costs.
 *
 *	bare DEVICE SOURCE RATE SECONDS
 *
 * RATE 0 is as fast as it goes.  What a full queue refuses is tried again, in
 * the next millisecond if there is a rate, so that the packets sent are packets
 * that the device took.  No link address: for TUN devices, or where the
 * other end takes broadcasts.
 *
 * Prints packets sent, refusals, seconds, and processor nanoseconds a packet.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "prober/net/packet_build.h"

#define BATCH 32 /* as ENGINE_BATCH */
#define SPACE 64 /* for a probe */
#define HOPS 30

static struct bare {
	uint8_t bytes[BATCH][SPACE];
	struct mmsghdr msgs[BATCH];
	struct iovec iovs[BATCH];
	struct sockaddr_ll to;
	struct addr src;
	uint64_t sent, refused;
	int fd;
} bare;

static void
prepare(const char *device, const char *source)
{
	int one = 1;

	bare.to.sll_family = AF_PACKET;
	bare.to.sll_protocol = htons(ETH_P_IP);
	bare.to.sll_ifindex = (int)if_nametoindex(device);
	bare.to.sll_halen = 6;
	memset(bare.to.sll_addr, 0xff, 6);
	bare.fd =
	    socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bare.fd == -1 || bare.to.sll_ifindex == 0)
		log_fatal(EXIT_TEMPORARY, "%s: %s", device, strerror(errno));
	if (setsockopt(bare.fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one,
		sizeof(one)) == -1)
		log_fatal(EXIT_TEMPORARY, "bypass: %s", strerror(errno));
	if (addr_scan(source, &bare.src) == -1 || bare.src.family != ADDR_IPV4)
		log_fatal(EXIT_PERMANENT, "%s: no IPv4 address", source);
	for (int i = 0; i < BATCH; i++) {
		bare.iovs[i].iov_base = bare.bytes[i];
		bare.msgs[i].msg_hdr.msg_iov = &bare.iovs[i];
		bare.msgs[i].msg_hdr.msg_iovlen = 1;
		bare.msgs[i].msg_hdr.msg_name = &bare.to;
		bare.msgs[i].msg_hdr.msg_namelen = sizeof(bare.to);
	}
}

/* The N-th probe: another destination, another TTL. */
static void
build(int i, uint64_t n)
{
	uint32_t h = (uint32_t)(n / HOPS * 2654435761u);
	const uint8_t to[4] = {(uint8_t)(11 + (h >> 24) % 88),
	    (uint8_t)(h >> 16), (uint8_t)(h >> 8), 7};
	struct addr dst = addr_make(ADDR_IPV4, to);
	struct probe pr = {.src = &bare.src,
	    .dst = &dst,
	    .kind = PROBE_UDP,
	    .ttl = (uint8_t)(1 + n % HOPS),
	    .ipid = (uint16_t)(1 + n % HOPS),
	    .sport = 40000,
	    .dport = 33435,
	    .csum = (uint16_t)(1 + n % HOPS),
	    .fix_csum = 1,
	    .payload_len = 16};

	bare.iovs[i].iov_len = (size_t)packet_build(&pr, bare.bytes[i], SPACE);
}

/* Send DUE packets, or until the queue is full. */
static void
send_due(uint64_t due)
{
	while (due > 0) {
		unsigned int n = due < BATCH ? (unsigned int)due : BATCH;
		int r;

		for (unsigned int i = 0; i < n; i++)
			build((int)i, bare.sent + i);
		r = sendmmsg(bare.fd, bare.msgs, n, 0);
		if (r <= 0) {
			bare.refused++;
			return;
		}
		bare.sent += (uint64_t)r;
		due -= (uint64_t)r;
	}
}

static double
cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * NS_PER_SEC + (double)ts.tv_nsec;
}

static void
run(uint32_t rate, int64_t length_ns)
{
	int64_t start_ns = clock_mono_ns(), now_ns = 0;
	int64_t wake_ns = start_ns;
	uint64_t due;

	for (; now_ns < length_ns; now_ns = clock_mono_ns() - start_ns) {
		if (rate == 0) {
			send_due(BATCH);
			continue;
		}
		due = (uint64_t)now_ns / NS_PER_US * rate / 1000000;
		if (due > bare.sent)
			send_due(due - bare.sent);
		/* The next millisecond that has not begun. */
		now_ns = clock_mono_ns();
		wake_ns += ((now_ns - wake_ns) / NS_PER_MS + 1) * NS_PER_MS;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
		    &(struct timespec){
			wake_ns / NS_PER_SEC, wake_ns % NS_PER_SEC},
		    NULL);
	}
}

int
main(int argc, char **argv)
{
	uint32_t rate, seconds;
	int64_t start_ns;

	log_init("bare", 0, 0);
	if (argc != 5 || scan_u32(argv[3], 0, 10000000, &rate) == -1 ||
	    scan_u32(argv[4], 1, 3600, &seconds) == -1)
		log_fatal(
		    EXIT_PERMANENT, "usage: bare DEVICE SOURCE RATE SECONDS");
	prepare(argv[1], argv[2]);
	start_ns = clock_mono_ns();
	run(rate, seconds * NS_PER_SEC);
	printf("sent %llu refused %llu seconds %.3f ns/packet %.0f\n",
	    (unsigned long long)bare.sent, (unsigned long long)bare.refused,
	    (double)(clock_mono_ns() - start_ns) / NS_PER_SEC,
	    cpu_ns() / (double)bare.sent);
	return EXIT_DONE;
}
