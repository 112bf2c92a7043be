/*
 * arrivals: how evenly packets leave, seen at the other end of the wire: frames
 * that leave past the queueing discipline are not shown to captures on their
 * own machine.
 *
 *	arrivals DEVICE RATE SKIP-S SECONDS CPU
 *
 * Prints "ready", waits for the first probe (UDP, echo request), then measures
 * from SKIP-S after it for SECONDS.  On a veth pair the kernel's time stamp is
 * taken while the sender hands the packet over, in the sender's time: nothing
 * that this side does later is in it.  Prints
 *
 *	packets 50000 pps 10000.12 off 0.001% ms 1.80 over 0 overlate 0
 *	    tens 1.26 tensover 2 tenslate 2 late 0.10 latest 3.2
 *
 * in one line: the mean rate and what it is off; the fullest millisecond, in
 * shares (a share is RATE/1000, but at least one packet), and how many
 * milliseconds carried more than twice theirs, or more than one packet above it;
 * the same for 10 ms and 1.2.  Windows begin anywhere, so the fullest is found
 * wherever it is; those that are too full are counted side by side.
 *
 * A witness on CPU, where the sender is, wakes with real-time priority every
 * millisecond meanwhile: percent of its wake-ups that were a millisecond late or
 * more, and the latest, in ms.  That is the machine's doing, whoever sleeps:
 * overlate and tenslate are those of the full windows in which, or right before
 * which, the witness slept too long.
 *
 * A capture with holes proves nothing: exit 111 when the ring has lost something.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define BLOCK_BYTES (1024u * 1024)
#define BLOCKS 64u
#define FRAME_BYTES 2048u
#define RETIRE_MS 20
#define POLL_MS 30000 /* nothing for so long: the sender is gone */

struct arrivals {
	int64_t *at_ns;
	size_t count, size;
	int64_t from_ns, to_ns; /* what counts; 0: not known yet */
	int64_t skip_ns, length_ns;
};

#define LATE_MAX 65536 /* noted one by one */

static struct {
	struct {
		int64_t from_ns, to_ns; /* slept too long; as time stamps */
	} at[LATE_MAX];
	uint32_t cpu;
	size_t wakes, late;
	int64_t latest_ns;
	int end;
} witness;

/* A thread that does nothing but note when it is woken. */
static void *
watch(void *unused)
{
	int64_t due_ns = clock_mono_ns(), late_ns;

	while (!__atomic_load_n(&witness.end, __ATOMIC_RELAXED)) {
		due_ns += NS_PER_MS;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
		    &(struct timespec){
			due_ns / NS_PER_SEC, due_ns % NS_PER_SEC},
		    NULL);
		late_ns = clock_mono_ns() - due_ns;
		witness.wakes++;
		if (late_ns >= NS_PER_MS && witness.late < LATE_MAX) {
			int64_t now_ns = clock_wall_ns();

			witness.at[witness.late].from_ns = now_ns - late_ns;
			witness.at[witness.late++].to_ns = now_ns;
		}
		if (late_ns > witness.latest_ns)
			witness.latest_ns = late_ns;
		/* What was slept over is one delay. */
		due_ns += late_ns / NS_PER_MS * NS_PER_MS;
	}
	return unused;
}

static pthread_t
watch_start(void)
{
	struct sched_param first = {.sched_priority = 1};
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(witness.cpu, &cpus);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &first);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	if (pthread_create(&thread, &attr, watch, NULL) != 0)
		log_fatal(EXIT_TEMPORARY, "no witness on CPU %u", witness.cpu);
	pthread_attr_destroy(&attr);
	return thread;
}

static uint8_t *
open_ring(const char *device, int *fd)
{
	struct tpacket_req3 req = {.tp_block_size = BLOCK_BYTES,
	    .tp_block_nr = BLOCKS,
	    .tp_frame_size = FRAME_BYTES,
	    .tp_frame_nr = BLOCK_BYTES / FRAME_BYTES * BLOCKS,
	    .tp_retire_blk_tov = RETIRE_MS};
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(device)};
	int version = TPACKET_V3, one = 1;
	void *map;

	*fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*fd == -1 ||
	    setsockopt(*fd, SOL_PACKET, PACKET_VERSION, &version,
		sizeof(version)) == -1 ||
	    setsockopt(*fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one,
		sizeof(one)) == -1 ||
	    /* stamped at the hand-over, not when the ring is filled */
	    setsockopt(*fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one)) ==
		-1 ||
	    setsockopt(*fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) ==
		-1)
		log_fatal(EXIT_TEMPORARY, "ring: %s", strerror(errno));
	map = mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS, PROT_READ | PROT_WRITE,
	    MAP_SHARED, *fd, 0);
	if (map == MAP_FAILED ||
	    bind(*fd, (struct sockaddr *)&sll, sizeof(sll)) == -1)
		log_fatal(EXIT_TEMPORARY, "%s: %s", device, strerror(errno));
	return map;
}

static int
is_probe(const uint8_t *p)
{
	if (p[0] >> 4 == 4)
		return p[9] == IPPROTO_UDP ||
		    (p[9] == IPPROTO_ICMP && p[20] == 8);
	return p[0] >> 4 == 6 &&
	    (p[6] == IPPROTO_UDP || (p[6] == IPPROTO_ICMPV6 && p[40] == 128));
}

static void
take(struct arrivals *a, int64_t at_ns)
{
	if (a->from_ns == 0) {
		a->from_ns = at_ns + a->skip_ns;
		a->to_ns = a->from_ns + a->length_ns;
	}
	if (at_ns < a->from_ns || at_ns >= a->to_ns)
		return;
	if (a->count == a->size) {
		a->size = a->size == 0 ? 65536 : 2 * a->size;
		a->at_ns = xreallocarray(a->at_ns, a->size, sizeof(*a->at_ns));
	}
	a->at_ns[a->count++] = at_ns;
}

/* All packets of a block.  Non-zero when the last is past the end. */
static int
take_block(struct arrivals *a, struct tpacket_block_desc *b)
{
	uint8_t *at = (uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
	int64_t ns = 0;

	for (uint32_t i = 0; i < b->hdr.bh1.num_pkts; i++) {
		struct tpacket3_hdr *h = (void *)at;

		ns = h->tp_sec * NS_PER_SEC + h->tp_nsec;
		if (is_probe(at + h->tp_net))
			take(a, ns);
		at += h->tp_next_offset;
	}
	__atomic_store_n(
	    &b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	return a->to_ns != 0 && ns >= a->to_ns;
}

static void
listen_all(struct arrivals *a, int fd, uint8_t *map)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);

	for (unsigned int i = 0;; i = (i + 1) % BLOCKS) {
		struct tpacket_block_desc *b =
		    (void *)(map + (size_t)i * BLOCK_BYTES);

		while (!(__atomic_load_n(
			     &b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) &
		    TP_STATUS_USER)) {
			if (poll(&pfd, 1, POLL_MS) == 0)
				log_fatal(EXIT_TEMPORARY, "no packets");
		}
		if (take_block(a, b))
			break;
	}
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == -1 ||
	    st.tp_drops > 0)
		log_fatal(EXIT_TEMPORARY, "%u packets lost", st.tp_drops);
}

/* Non-zero when the machine slept in the window from FROM_NS to TO_NS, or until
 * right before it. */
static int
was_late(int64_t from_ns, int64_t to_ns)
{
	for (size_t i = 0; i < witness.late; i++) {
		if (witness.at[i].from_ns < to_ns &&
		    witness.at[i].to_ns > from_ns - NS_PER_MS)
			return 1;
	}
	return 0;
}

struct fullness {
	size_t fullest; /* packets */
	size_t over, late; /* windows that hold too many; of these, late */
};

/*
 * The fullest window of WIDTH, wherever it begins; and how many hold more than
 * MOST packets, side by side: the next begins behind.
 */
static struct fullness
fuller(const struct arrivals *a, int64_t width_ns, double most)
{
	struct fullness f = {0, 0, 0};
	size_t first = 0;
	int64_t free_ns = 0; /* up to here a window has been counted */

	for (size_t i = 0; i < a->count; i++) {
		while (a->at_ns[i] - a->at_ns[first] >= width_ns)
			first++;
		if (i - first + 1 > f.fullest)
			f.fullest = i - first + 1;
		if ((double)(i - first + 1) > most &&
		    a->at_ns[first] >= free_ns) {
			free_ns = a->at_ns[first] + width_ns;
			f.over++;
			f.late += was_late(a->at_ns[first], free_ns);
		}
	}
	return f;
}

/*
 * Packets per second, by the straight line that fits their times best: one
 * that is late at an end does not tilt it, a debt that is never paid does.
 */
static double
mean_rate(const struct arrivals *a)
{
	double n = (double)a->count, mean = 0, tk = 0, kk = 0;

	for (size_t i = 0; i < a->count; i++)
		mean += (double)(a->at_ns[i] - a->at_ns[0]) / n;
	for (size_t i = 0; i < a->count; i++) {
		double k = (double)i - (n - 1) / 2;

		tk += k * ((double)(a->at_ns[i] - a->at_ns[0]) - mean);
		kk += k * k;
	}
	return NS_PER_SEC * kk / tk;
}

/* Packets in a window with a share of SHARE. */
static double
allowed(double share, double times)
{
	return times * share > share + 1 ? times * share : share + 1;
}

static void
report(const struct arrivals *a, double rate)
{
	double share = rate / 1000, tens = rate / 100, pps;
	struct fullness ms, ten;

	if (a->count < 2)
		log_fatal(EXIT_TEMPORARY, "too few packets");
	pps = mean_rate(a);
	ms = fuller(a, NS_PER_MS, allowed(share, 2));
	ten = fuller(a, 10 * NS_PER_MS, allowed(tens, 1.2));
	share = share < 1 ? 1 : share;
	tens = tens < 1 ? 1 : tens;
	printf("packets %zu pps %.3f off %.3f%% ms %.2f over %zu overlate %zu "
	       "tens %.2f tensover %zu tenslate %zu late %.2f latest %.1f\n",
	    a->count, pps, 100 * (pps / rate - 1), (double)ms.fullest / share,
	    ms.over, ms.late, (double)ten.fullest / tens, ten.over, ten.late,
	    100.0 * (double)witness.late / (double)witness.wakes,
	    (double)witness.latest_ns / NS_PER_MS);
}

int
main(int argc, char **argv)
{
	static struct arrivals a;
	uint32_t rate, skip_s, seconds;
	pthread_t thread;
	uint8_t *map;
	int fd;

	log_init("arrivals", 0, 0);
	if (argc != 6 || scan_u32(argv[2], 1, 10000000, &rate) == -1 ||
	    scan_u32(argv[3], 0, 3600, &skip_s) == -1 ||
	    scan_u32(argv[4], 1, 3600, &seconds) == -1 ||
	    scan_u32(argv[5], 0, CPU_SETSIZE - 1, &witness.cpu) == -1)
		log_fatal(EXIT_PERMANENT,
		    "usage: arrivals DEVICE RATE SKIP-S SECONDS CPU");
	a.skip_ns = skip_s * NS_PER_SEC;
	a.length_ns = seconds * NS_PER_SEC;
	map = open_ring(argv[1], &fd);
	puts("ready");
	fflush(stdout);
	thread = watch_start();
	listen_all(&a, fd, map);
	__atomic_store_n(&witness.end, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	report(&a, rate);
	return EXIT_DONE;
}
