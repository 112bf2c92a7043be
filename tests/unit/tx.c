/*
 * tx: each frame has the time right before its own hand-over, by packet and by
 * raw socket, so that a round-trip time is wrong by what the kernel takes for
 * one packet and not for a batch; an error ends the batch where it is.  The
 * sockets and the clock are in this file.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "prober/net/net.h"

#define FRAMES 8
#define CALL_NS 700 /* that a packet takes in the kernel */

/* --- the system: a clock that moves only while the kernel sends ---------------- */

static int64_t now_ns = NS_PER_SEC;
static int refuse_at; /* the N-th packet is refused; 0: none is */
static int refuse_family; /* all by such a socket are; 0: none is */
static struct {
	const void *packet;
	int64_t at_ns;
	int family;
} sent[FRAMES];
static int nsent;

int64_t
clock_wall_ns(void)
{
	return now_ns;
}

int64_t
clock_mono_ns(void)
{
	return now_ns;
}

int
socket(int domain, int type, int protocol)
{
	(void)type;
	(void)protocol;
	/* Of no process: close() of it fails, and nothing else uses it. */
	return 10000 + domain;
}

int
setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd;
	(void)level;
	(void)name;
	(void)value;
	(void)len;
	return 0;
}

ssize_t
sendto(int fd, const void *packet, size_t len, int flags,
    __CONST_SOCKADDR_ARG to, socklen_t to_len)
{
	const struct sockaddr *sa = to.__sockaddr__;

	(void)flags;
	(void)to_len;
	assert_int_equal(fd, 10000 + sa->sa_family);
	assert_true(nsent < FRAMES);
	if (nsent + 1 == refuse_at || sa->sa_family == refuse_family) {
		errno = ENOBUFS;
		return -1;
	}
	sent[nsent].packet = packet;
	sent[nsent].at_ns = now_ns;
	sent[nsent++].family = sa->sa_family;
	now_ns += CALL_NS;
	return (ssize_t)len;
}

/* --- the tests ------------------------------------------------------------------- */

static uint8_t bytes[FRAMES][64];
static struct tx_frame frames[FRAMES];

/* Frames that leave by PATH. */
static void
prepare(struct link_path *path)
{
	for (int i = 0; i < FRAMES; i++)
		frames[i] = (struct tx_frame){.path = path,
		    .packet = bytes[i],
		    .len = 44,
		    .family = ADDR_IPV4};
	nsent = refuse_at = refuse_family = 0;
}

static void
check(int from, int to)
{
	for (int i = from; i < to; i++) {
		assert_ptr_equal(sent[i].packet, bytes[i]);
		assert_int_equal(frames[i].tx_ns, sent[i].at_ns);
	}
}

static void
test_each_its_time(void **state)
{
	struct link_path path = {.ifindex = 1, .mac_len = 6};
	const char *why;
	struct tx *tx = tx_open(0, &why);

	(void)state;
	prepare(&path);
	assert_int_equal(tx_send(tx, frames, FRAMES), FRAMES);
	check(0, FRAMES);
	assert_int_equal(
	    frames[FRAMES - 1].tx_ns - frames[0].tx_ns, (FRAMES - 1) * CALL_NS);
	assert_int_equal(sent[0].family, AF_PACKET);
	path.raw_only = 1;
	prepare(&path);
	assert_int_equal(tx_send(tx, frames, FRAMES), FRAMES);
	check(0, FRAMES);
	assert_int_equal(sent[0].family, AF_INET);
	tx_close(tx);
}

/* One frame by raw socket makes the kernel ask for the neighbour; the others go
 * on. */
static void
test_stale(void **state)
{
	struct link_path path = {.ifindex = 1, .mac_len = 6, .stale = 1};
	const char *why;
	struct tx *tx = tx_open(0, &why);

	(void)state;
	prepare(&path);
	assert_int_equal(tx_send(tx, frames, FRAMES), FRAMES);
	check(0, FRAMES);
	assert_int_equal(path.stale, 0);
	assert_int_equal(sent[0].family, AF_INET);
	for (int i = 1; i < FRAMES; i++)
		assert_int_equal(sent[i].family, AF_PACKET);
	tx_close(tx);
}

/* A raw socket that cannot ask for it: the frame leaves as it would have. */
static void
test_stale_refused(void **state)
{
	struct link_path path = {.ifindex = 1, .mac_len = 6, .stale = 1};
	const char *why;
	struct tx *tx = tx_open(0, &why);

	(void)state;
	prepare(&path);
	refuse_family = AF_INET;
	assert_int_equal(tx_send(tx, frames, FRAMES), FRAMES);
	check(0, FRAMES);
	assert_int_equal(path.stale, 0);
	for (int i = 0; i < FRAMES; i++)
		assert_int_equal(sent[i].family, AF_PACKET);
	path.raw_only = path.stale = 1;
	prepare(&path);
	refuse_family = AF_INET;
	assert_int_equal(tx_send(tx, frames, FRAMES), -1);
	tx_close(tx);
}

/* What was accepted before the error counts; the error is told at the next call. */
static void
test_refused(void **state)
{
	struct link_path path = {.ifindex = 1, .mac_len = 6};
	const char *why;
	struct tx *tx = tx_open(0, &why);

	(void)state;
	prepare(&path);
	refuse_at = 4;
	assert_int_equal(tx_send(tx, frames, FRAMES), 3);
	errno = 0;
	assert_int_equal(tx_send(tx, frames + 3, FRAMES - 3), -1);
	assert_int_equal(errno, ENOBUFS);
	refuse_at = 0;
	assert_int_equal(tx_send(tx, frames + 3, FRAMES - 3), FRAMES - 3);
	check(0, FRAMES);
	tx_close(tx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_its_time),
	    cmocka_unit_test(test_stale),
	    cmocka_unit_test(test_stale_refused),
	    cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
