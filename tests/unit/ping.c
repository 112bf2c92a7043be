/*
 * ping: when probes leave and when it ends, what counts as an answer to which
 * probe, and options that are refused with the reason.  The engine is here; a
 * reply is made as the parser of packets would (tests/net/conformance-linux.test
 * has real ones).
 */
#include "tests/unit/test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "prober/tech/ping.h"

#define START_NS (1700000000 * NS_PER_SEC)
#define RTT_NS (5 * NS_PER_MS)

/* --- the engine --------------------------------------------------------------- */

enum force { NOTHING, SEND, WAIT, DONE };

struct task {
	struct measurement *m;
	struct addr src, dst;
	struct ping state;
	enum force force;
	int64_t now_ns, due_ns;
	struct technique_record rec;
	void *memory[200];
	int nmemory;
};

static struct task task;

void *
task_state(struct task *t)
{
	return &t->state;
}

const void *
task_conf(const struct task *t)
{
	return t->m->conf;
}

const struct addr *
task_src(const struct task *t)
{
	return &t->src;
}

const struct addr *
task_dst(const struct task *t)
{
	return &t->dst;
}

void
probe_send(struct task *t)
{
	t->force = SEND;
}

void
probe_wait(struct task *t, int64_t wait_ns)
{
	assert_true(wait_ns > 0);
	t->force = WAIT;
	t->due_ns = t->now_ns + wait_ns;
}

void
probe_done(struct task *t)
{
	t->force = DONE;
}

void *
technique_scratch(size_t size)
{
	assert_in_range(task.nmemory, 0, 199);
	return task.memory[task.nmemory++] = calloc(1, size + 1);
}

void *
technique_block(struct task *t)
{
	(void)t;
	return technique_scratch(TECHNIQUE_BLOCK);
}

/* A ping has no memory beside, and asks for no MTU. */
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

/* Nor does it look for any of its blocks. */
const void *
technique_earlier_block(const struct task *t, const void *block)
{
	(void)t;
	(void)block;
	fail();
	return NULL;
}

static void
begin(const char *text, int family)
{
	static const uint8_t dst[16] = {10, 0, 0, 9}, src[16] = {10, 0, 0, 1};
	char why[200] = "";

	memset(&task, 0, sizeof(task));
	task.m = technique_parse(text, NULL, why, sizeof(why));
	assert_string_equal(why, "");
	task.dst = addr_make(family, dst);
	task.src = addr_make(family, src);
	task.now_ns = START_NS;
	task.m->tech->start(&task, task.now_ns);
}

/* The probe that is asked for leaves now. */
static struct probe
leave(void)
{
	struct probe pr;

	assert_int_equal(task.force, SEND);
	task.force = NOTHING;
	task.m->tech->probe(&task, &pr);
	task.m->tech->sent(&task, pr.id, task.now_ns);
	return pr;
}

/* The time comes that is waited for. */
static void
elapse(void)
{
	assert_int_equal(task.force, WAIT);
	task.now_ns = task.due_ns;
	task.force = NOTHING;
	task.m->tech->timeout(&task);
}

/* The target answers PR in the way of its method, RTT_NS after now, with an IP
 * option of LEN bytes. */
static void
answer_with(const struct probe *pr, const uint8_t *option, uint8_t len)
{
	struct reply r;

	memset(&r, 0, sizeof(r));
	r.ip_option = option;
	r.ip_option_len = len;
	r.from = r.target = task.dst;
	r.rx_ns = task.now_ns + RTT_NS;
	switch (pr->kind) {
	case PROBE_ICMP_ECHO:
		r.kind = REPLY_ICMP_ECHO;
		r.protocol = IPPROTO_ICMP;
		r.icmp_id = pr->sport;
		r.icmp_seq = pr->dport;
		break;
	case PROBE_TCP:
		r.kind = REPLY_TCP;
		r.protocol = IPPROTO_TCP;
		r.sport = pr->dport;
		r.dport = pr->sport;
		break;
	default:
		r.kind = REPLY_ICMP_ERROR;
		r.protocol = IPPROTO_ICMP;
		r.icmp_type = r.icmp_code = 3;
		r.q_proto = IPPROTO_UDP;
		r.q_sport = pr->sport;
		r.q_dport = pr->dport;
		r.q_ipid = pr->ipid;
	}
	task.m->tech->reply(&task, &r);
}

static void
answer(const struct probe *pr)
{
	answer_with(pr, NULL, 0);
}

static const struct warts_ping *
end(void)
{
	assert_int_equal(task.force, DONE);
	task.m->tech->record(&task, &task.rec);
	assert_int_equal(task.rec.type, WARTS_PING);
	return &task.rec.ping;
}

static void
cleanup(void)
{
	for (int i = 0; i < task.nmemory; i++)
		free(task.memory[i]);
	technique_unref(task.m);
}

/* --- the course of a ping --------------------------------------------------------- */

static void
test_probes_leave_at_the_interval(void **state)
{
	const struct warts_ping *p;

	(void)state;
	begin("ping -c 3 -i 0.25 -W 2", ADDR_IPV4);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(task.now_ns - START_NS, i * 250 * NS_PER_MS);
		leave();
		elapse();
	}
	/* Answered or not, the last one is given -W. */
	assert_int_equal(task.now_ns - START_NS, 2500 * NS_PER_MS);
	p = end();
	assert_int_equal(p->ping_sent, 3);
	assert_int_equal(p->nreplies, 0);
	assert_int_equal(p->stop_reason, WARTS_PING_STOP_COMPLETED);
	assert_int_equal(p->wait_us, 250000);
	assert_int_equal(p->timeout_s, 2);
	cleanup();
}

static void
test_enough_replies_end_it(void **state)
{
	struct probe pr;

	(void)state;
	begin("ping -c 9 -o 2", ADDR_IPV4);
	for (int i = 0; i < 3; i++) {
		pr = leave();
		if (i != 1)
			answer(&pr);
		if (i == 0)
			answer(&pr); /* a duplicate is not a second one */
		if (i < 2)
			elapse();
	}
	assert_int_equal(end()->ping_sent, 3);
	assert_int_equal(task.rec.ping.nreplies, 3);
	assert_int_equal(task.rec.ping.replies[2].probe, 2);
	cleanup();
}

/* Replies find their probes, over several blocks, in any order. */
static void
test_replies_find_their_probes(void **state)
{
	static const char *const methods[] = {"icmp-echo", "udp", "udp-dport",
	    "udp-sport", "tcp-syn-sport", "tcp-ack-sport", NULL};
	struct probe pr[40];
	char text[80];

	(void)state;
	for (int m = 0; methods[m] != NULL; m++) {
		snprintf(text, sizeof(text), "ping -c 40 -d 65530 -P %s",
		    methods[m]);
		begin(text, ADDR_IPV4);
		for (int i = 0; i < 40; i++) {
			pr[i] = leave();
			if (i < 39)
				elapse();
		}
		for (int i = 39; i >= 0; i -= 3)
			answer(&pr[i]);
		elapse();
		assert_int_equal(end()->nreplies, 14);
		for (int i = 0; i < 14; i++) {
			const struct warts_ping_reply *r =
			    &task.rec.ping.replies[i];

			assert_int_equal(r->probe, 3 * i);
			assert_int_equal(r->probe_ipid, pr[3 * i].ipid);
			assert_int_equal(
			    r->rtt_us, 5000 + 1000000 * (39 - 3 * i));
		}
		cleanup();
	}
}

/* Of twelve replies each third has a route, of as many routers as its number: up to
 * all nine that an option has room for. */
static void
test_options_stay_with_their_replies(void **state)
{
	struct probe pr;

	(void)state;
	begin("ping -c 12 -R", ADDR_IPV4);
	for (int i = 0; i < 12; i++) {
		uint8_t option[39] = {7, 39, (uint8_t)(4 + 4 * i)};

		for (int k = 3; k < 39; k++)
			option[k] = (uint8_t)(10 * i + k);
		pr = leave();
		answer_with(&pr, option, i % 3 == 0 ? sizeof(option) : 0);
		if (task.force == WAIT)
			elapse();
	}
	assert_int_equal(end()->nreplies, 12);
	for (int i = 0; i < 12; i++) {
		const struct warts_ping_reply *r = &task.rec.ping.replies[i];

		assert_int_equal(r->rr.count, i % 3 == 0 ? i : 0);
		for (int k = 0; k < r->rr.count; k++)
			assert_int_equal(
			    r->rr.addr[k].b[3], 10 * i + 6 + 4 * k);
	}
	cleanup();
}

static void
test_strangers_are_no_replies(void **state)
{
	struct probe pr, other;

	(void)state;
	begin("ping -c 1 -F 7 -d 100", ADDR_IPV4);
	pr = leave();
	other = pr;
	other.sport = 8;
	answer(&other);
	other = pr;
	other.dport = 101; /* not sent */
	answer(&other);
	other = pr;
	other.kind = PROBE_TCP;
	answer(&other);
	elapse();
	assert_int_equal(end()->nreplies, 0);
	cleanup();
}

/* Our own loss is not silence: the last probe is sent again, as itself. */
static void
test_losses_of_our_own_are_sent_again(void **state)
{
	struct probe first, again;

	(void)state;
	begin("ping -c 1", ADDR_IPV4);
	first = leave();
	task.now_ns = task.due_ns;
	task.m->tech->again(&task);
	again = leave();
	assert_int_equal(again.id, first.id);
	assert_int_equal(again.dport, first.dport);
	answer(&again);
	elapse();
	assert_int_equal(end()->ping_sent, 1);
	assert_int_equal(task.rec.ping.replies[0].rtt_us, 5000);
	cleanup();
}

/* No way for it for a while: it leaves later, as itself. */
static void
test_what_is_put_off_keeps_its_number(void **state)
{
	struct probe pr, first;

	(void)state;
	begin("ping -c 2", ADDR_IPV4);
	for (int i = 0; i < 2; i++) {
		task.m->tech->probe(&task, &first);
		task.force = NOTHING;
		task.m->tech->unsent(&task);
		pr = leave();
		assert_int_equal(pr.id, first.id);
		assert_int_equal(pr.dport, first.dport);
		answer(&pr);
		elapse();
	}
	assert_int_equal(end()->ping_sent, 2);
	assert_int_equal(task.rec.ping.nreplies, 2);
	cleanup();
}

static void
test_what_cannot_be_sent_is_an_error(void **state)
{
	(void)state;
	begin("ping -c 2", ADDR_IPV6);
	leave();
	elapse();
	task.force = NOTHING;
	struct probe pr;
	task.m->tech->probe(&task, &pr);
	task.m->tech->failed(&task, 90);
	assert_int_equal(end()->ping_sent, 1);
	assert_int_equal(task.rec.ping.stop_reason, WARTS_PING_STOP_ERROR);
	assert_int_equal(task.rec.ping.stop_data, 90);
	cleanup();
}

/* --- options ------------------------------------------------------------------------ */

static const struct {
	const char *text, *why;
} refused[] = {
    {"-c 0", "-c failed: probe count must be within 1 - 65535"},
    {"-c 65536", "-c failed: probe count must be within 1 - 65535"},
    {"-i 0", "-i failed: wait between probes must be within 0.001 - 20.000 s"},
    {"-i 21", "-i failed: wait between probes must be within 0.001 - 20.000 s"},
    {"-i x", "-i failed: wait between probes is not a duration: x"},
    {"-m 0", "-m failed: ttl must be within 1 - 255"},
    {"-W 256", "-W failed: wait timeout must be within 0.001 - 255.000 s"},
    {"-P echo", "-P failed: unknown method echo"},
    {"-B 1", "-B failed: payload must be 1 - 1000 hex bytes"},
    {"-p abc", NULL},
    {"-p 0g", "-p failed: pattern is not hexadecimal"},
    {"-p aa -B bb", "cannot set both payload and pattern"},
    {"-R -T tsonly",
	"one IP option at most: record route, a timestamp or a source "
	"route"},
    {"-T ts",
	"-T failed: timestamp option ts: must be tsonly, tsandaddr or "
	"tsprespec=ADDRESS,..."},
    {"-T tsprespec=1.2.3.4,", NULL},
    {"-T tsprespec=::1",
	"-T failed: timestamp option tsprespec=::1: tsprespec= must be 1 - 4 "
	"IPv4 addresses"},
    {"-T tsprespec=1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5",
	"-T failed: timestamp option tsprespec=1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,"
	"1.1.1.5: tsprespec= must be 1 - 4 IPv4 addresses"},
    {"-C 5 -P udp", "a checksum can only be chosen for ICMP"},
    {"-o 5 -A 5", NULL},
    {"-x", "unknown option -x"},
    {"-S x", "-S failed: source x: is not an address"},
    {"-r x", "-r failed: router x: is not an address"},
    {"-M 65536", "-M failed: reply pmtu must be within 0 - 65535"},
    {"-O foo",
	"-O failed: option foo: is not one of dl dltx lsrr= mss= nosrc raw "
	"sockrx spoof tbt"},
    {"-O dl -O spoof -S 1.2.3.4", NULL},
    {"-O nosrc", "-O nosrc is for a spoofed source"},
    {"-O tbt", "-O tbt needs a reply pmtu"},
    {"-O mss=0", "-O failed: option mss=0: mss= must be within 1 - 65535"},
    {"-O mss=1460", "-O mss is for TCP SYN"},
    {"-O mss=1460 -P tcp-ack", "-O mss is for TCP SYN"},
    {"-O mss=1460 -P tcp-syn", NULL},
    {"-b 5 -s 50", "cannot set both payload size and size or payload"},
    {"-b 65536", "-b failed: payload size must be within 0 - 65535"},
    {"-O lsrr=1.2.3.4 -R",
	"one IP option at most: record route, a timestamp or a source route"},
    {"-O lsrr=::1",
	"-O failed: option lsrr=::1: lsrr= must be 1 - 4 IPv4 addresses"},
    {"-O lsrr=1.2.3.4 -r 1.2.3.5",
	"cannot set both a router and a source route"},
    {"-O spoof -C 5",
	"cannot set both a checksum and our address in a spoofed probe: add "
	"-O nosrc"},
    {"-O spoof -O nosrc -C 5", NULL},
};

/* Those that depend on the target. */
static const struct {
	const char *text, *why;
} targets[] = {
    {"-O lsrr=1.2.3.4 ::1", "a source route is for IPv4"},
    {"-r 1.2.3.4 ::1", "the router is of another family than the target"},
    {"-S ::2 1.2.3.4", "the source is of another family than the target"},
    {"-O spoof -S ::2 1.2.3.4",
	"the source is of another family than the target"},
    {"-O tbt -M 1280 -s 1300 1.2.3.4", "-O tbt is for IPv6"},
    {"-O tbt -M 1280 -s 1280 ::1",
	"-O tbt needs a reply pmtu below the probe's size"},
    {"-O tbt -M 1280 -s 1281 ::1", NULL},
    {"-O spoof -s 31 1.2.3.4",
	"no room for headers and data in a probe of that size"},
    {"-s 27 1.2.3.4", "no room for headers and data in a probe of that size"},
    {"-s 28 1.2.3.4", NULL},
    {"-s 47 ::1", "no room for headers and data in a probe of that size"},
    {"-s 67 -R 1.2.3.4",
	"no room for headers and data in a probe of that size"},
    {"-s 39 -P icmp-time 1.2.3.4",
	"no room for headers and data in a probe of that size"},
    {"-s 32 -B 0102030405 1.2.3.4",
	"no room for headers and data in a probe of that size"},
    {"-s 33 -B 0102030405 1.2.3.4", NULL},
    {"-s 29 -C 5 1.2.3.4",
	"no room for headers and data in a probe of that size"},
    {"-s 30 -C 5 1.2.3.4", NULL},
    {"-b 0 1.2.3.4", NULL},
    {"-b 3 -O spoof 1.2.3.4",
	"no room for headers and data in a probe of that size"},
    {"-O spoof -s 32 1.2.3.4", NULL},
    {"-O spoof -O nosrc -s 28 1.2.3.4", NULL},
};

static void
test_options(void **state)
{
	char text[200], why[300];
	struct measurement *m;
	struct addr target;

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		snprintf(text, sizeof(text), "ping %s", targets[i].text);
		why[0] = '\0';
		m = technique_parse(text, &target, why, sizeof(why));
		assert_string_equal(
		    why, targets[i].why != NULL ? targets[i].why : "");
		technique_unref(m);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(text, sizeof(text), "ping %s", refused[i].text);
		why[0] = '\0';
		m = technique_parse(text, NULL, why, sizeof(why));
		if (refused[i].why == NULL)
			assert_non_null(m);
		else
			assert_string_equal(why, refused[i].why);
		technique_unref(m);
	}
}

/* To the first router; in the option the other one and the target. */
static void
test_source_route(void **state)
{
	static const uint8_t option[] = {
	    131, 11, 4, 10, 0, 1, 2, 10, 0, 0, 9, 0};
	struct addr first = addr_make(ADDR_IPV4, (uint8_t[]){10, 0, 1, 1});
	struct probe pr;

	(void)state;
	begin("ping -O lsrr=10.0.1.1,10.0.1.2", ADDR_IPV4);
	pr = leave();
	assert_true(addr_equal(pr.dst, &first));
	assert_true(addr_equal(pr.final, &task.dst));
	assert_int_equal(pr.ip_option_len, sizeof(option));
	assert_memory_equal(pr.ip_option, option, sizeof(option));
	assert_int_equal(pr.payload_len, 56);
	assert_true(addr_equal(&task.m->tech->route(task.m->conf)->to, &first));
	cleanup();
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_probes_leave_at_the_interval),
    cmocka_unit_test(test_enough_replies_end_it),
    cmocka_unit_test(test_replies_find_their_probes),
    cmocka_unit_test(test_options_stay_with_their_replies),
    cmocka_unit_test(test_strangers_are_no_replies),
    cmocka_unit_test(test_losses_of_our_own_are_sent_again),
    cmocka_unit_test(test_what_is_put_off_keeps_its_number),
    cmocka_unit_test(test_what_cannot_be_sent_is_an_error),
    cmocka_unit_test(test_options),
    cmocka_unit_test(test_source_route),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
