/*
 * fakenet: options, the loop, the signals.  See fakenet.h for the map.
 *
 * One turn reads up to TURN packets, writes the replies that are due, and asks
 * the kernel for nothing else; the event loop is entered only between batches
 * of turns, and sleeps on the device and one timer.
 */
#include "tests/fakenet/fakenet.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define TURN 64 /* packets read before delayed ones are looked at */
#define TURNS 16 /* before signals are looked at */
#define WAITING_MAX 4000000 /* replies on their way */

struct options {
	struct settings set;
	const char *device;
	const char *stats; /* NULL: standard error */
	int truth;
	uint32_t gap;
};

struct fakenet {
	struct reply reply;
	struct delay *delay;
	const struct options *opt;
	struct event_base *base;
	int tun, timer;
	uint8_t in[PACKET_MAX], out[PACKET_MAX + 64];
};

/* --- options -------------------------------------------------------------- */

static const char *
opt_device(void *ctx, const char *arg)
{
	((struct options *)ctx)->device = arg;
	return NULL;
}

static const char *
opt_config(void *ctx, const char *arg)
{
	struct options *o = ctx;

	if (conf_load(arg, settings_keys, &o->set, conf_log_error, NULL) != 0)
		return "has errors";
	return NULL;
}

static const char *
opt_set(void *ctx, const char *arg)
{
	struct options *o = ctx;
	char *line = xstrdup(arg);
	const char *why = settings_line(&o->set, line);

	free(line);
	return why;
}

static const char *
opt_stats(void *ctx, const char *arg)
{
	((struct options *)ctx)->stats = arg;
	return NULL;
}

static const char *
opt_truth(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->truth = 1;
	return NULL;
}

static const char *
opt_gap(void *ctx, const char *arg)
{
	if (scan_u32(arg, 1, 255, &((struct options *)ctx)->gap) == -1)
		return "is not a number from 1 to 255";
	return NULL;
}

static const struct prog_opt opts[] = {
    {'d', "device", "NAME", "answer on this TUN device, made if need be",
	opt_device},
    {'c', "config", "FILE", "settings, one per line", opt_config},
    {'o', "set", "SETTING", "one setting: \"silent-routers 0.1\"", opt_set},
    {'s', "stats", "FILE", "write counters here (standard error)", opt_stats},
    {'t', "truth", NULL, "print the paths to the operands (-: standard input)",
	opt_truth},
    {'g', "gap", "N", "silent hops that end a path in the truth (5)", opt_gap},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    "fakenet",
    "-d DEVICE [options] | -t [options] ADDRESS ... | -t [options] -",
    "an Internet to probe, behind a TUN device",
    EXIT_PERMANENT,
};

/* --- truth ---------------------------------------------------------------- */

/* Non-zero on an error, which is reported. */
static int
truth_one(const struct truth *t, char *line, size_t number)
{
	const char *why = truth_line(t, line);

	if (why != NULL && number > 0)
		log_warn("stdin:%zu: %s", number, why);
	else if (why != NULL)
		log_warn("%s: %s", line, why);
	return why != NULL;
}

static int
truth_input(const struct truth *t)
{
	char *line = NULL;
	size_t size = 0, number = 0;
	int errors = 0;

	while (getline(&line, &size, stdin) != -1) {
		number++;
		line[strcspn(line, "\n")] = '\0';
		errors += truth_one(t, line, number);
	}
	free(line);
	return errors;
}

static int
truth_main(const struct options *o, char **operand)
{
	struct truth t = {&o->set, stdout, (int)o->gap};
	int errors = 0;

	for (; *operand != NULL; operand++) {
		if (strcmp(*operand, "-") == 0)
			errors += truth_input(&t);
		else
			errors += truth_one(&t, *operand, 0);
	}
	if (fflush(stdout) != 0)
		log_fatal(EXIT_TEMPORARY, "stdout: %s", strerror(errno));
	return errors != 0 ? EXIT_PERMANENT : EXIT_DONE;
}

/* --- the loop ------------------------------------------------------------- */

static void
emit(struct fakenet *f, const uint8_t *pkt, size_t len)
{
	if (write(f->tun, pkt, len) == -1) {
		f->reply.n.write_errors++;
		f->reply.n.replies--;
	}
}

static void
one_packet(struct fakenet *f, size_t len, int64_t now_ns)
{
	size_t n = reply_make(&f->reply, f->in, len, now_ns, f->out);
	int64_t due_ns = f->reply.due_ns;

	for (int i = 0; n != 0 && i <= f->reply.again; i++) {
		f->reply.n.replies += i > 0;
		if (due_ns <= now_ns) {
			emit(f, f->out, n);
		} else if (delay_add(f->delay, due_ns, f->out, n) == -1) {
			f->reply.n.overflow++;
			f->reply.n.replies--;
		}
	}
}

/* Non-zero if there may be more to read. */
static int
turn(struct fakenet *f)
{
	const uint8_t *pkt;
	ssize_t n = 0;
	size_t len;
	int64_t now_ns;

	/* A clock read before the packet would make its delay too short. */
	for (int i = 0; i < TURN; i++) {
		n = read(f->tun, f->in, sizeof(f->in));
		if (n < 0)
			break;
		one_packet(f, (size_t)n, clock_mono_ns());
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		log_fatal(
		    EXIT_TEMPORARY, "%s: %s", f->opt->device, strerror(errno));
	now_ns = clock_mono_ns();
	while ((pkt = delay_next(f->delay, now_ns, &len)) != NULL)
		emit(f, pkt, len);
	return n >= 0;
}

static void
on_work(int fd, short what, void *arg)
{
	struct fakenet *f = arg;
	struct itimerspec its = {.it_value = {0, 0}};
	int64_t wake_ns;
	uint64_t expired;

	(void)what;
	if (fd == f->timer && read(fd, &expired, sizeof(expired)) == -1)
		return; /* armed anew meanwhile */
	for (int i = 0; i < TURNS && turn(f); i++)
		;
	wake_ns = delay_wake_ns(f->delay);
	if (wake_ns == -1)
		return;
	its.it_value.tv_sec = wake_ns / NS_PER_SEC;
	its.it_value.tv_nsec = wake_ns % NS_PER_SEC;
	if (timerfd_settime(f->timer, TFD_TIMER_ABSTIME, &its, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "timer: %s", strerror(errno));
}

static void
print_stats(const struct fakenet *f)
{
	FILE *fp = stderr;

	if (f->opt->stats != NULL)
		fp = fopen(f->opt->stats, "we");
	if (fp == NULL) {
		log_warn("%s: %s", f->opt->stats, strerror(errno));
		return;
	}
	reply_print(&f->reply.n, fp);
	if (fp != stderr)
		fclose(fp);
}

static void
on_signal(int signo, short what, void *arg)
{
	struct fakenet *f = arg;

	(void)what;
	if (signo == SIGUSR1)
		print_stats(f);
	else
		event_base_loopbreak(f->base);
}

static void
watch(struct fakenet *f, int fd, struct event **ev)
{
	*ev = event_new(f->base, fd, EV_READ | EV_PERSIST, on_work, f);
	if (*ev == NULL || event_add(*ev, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
}

static void
serve(struct fakenet *f)
{
	static const int signals[] = {SIGUSR1, SIGINT, SIGTERM};
	struct event *ev[5];

	f->base = prog_base();
	watch(f, f->tun, &ev[0]);
	watch(f, f->timer, &ev[1]);
	for (int i = 0; i < 3; i++)
		ev[2 + i] = prog_signal(f->base, signals[i], on_signal, f);
	printf("ready %s\n", f->opt->device);
	fflush(stdout);
	event_base_dispatch(f->base);
	for (int i = 0; i < 5; i++)
		event_free(ev[i]);
	event_base_free(f->base);
}

static void
fakenet_main(const struct options *o)
{
	struct fakenet *f = xcalloc(1, sizeof(*f));

	f->opt = o;
	f->tun = tun_open(o->device);
	if (f->tun == -1)
		log_fatal(EXIT_PERMANENT, "cannot open TUN device %s: %s",
		    o->device, strerror(errno));
	f->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (f->timer == -1)
		log_fatal(EXIT_TEMPORARY, "timer: %s", strerror(errno));
	f->reply.set = &o->set;
	f->reply.routers = routers_new(&o->set);
	f->delay = delay_new(WAITING_MAX, clock_mono_ns());
	serve(f);
	print_stats(f);
	routers_free(f->reply.routers);
	delay_free(f->delay);
	close(f->timer);
	close(f->tun);
	free(f);
}

int
main(int argc, char **argv)
{
	static struct options o = {.gap = 5};
	const char *why;
	int first;

	log_init("fakenet", 0, 0);
	settings_init(&o.set);
	first = prog_options(&usage, opts, argc, argv, &o);
	why = settings_check(&o.set);
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "settings: %s", why);
	if (o.truth && first < argc && o.device == NULL)
		return truth_main(&o, argv + first);
	if (o.truth || o.device == NULL || first != argc) {
		prog_print_usage(&usage, opts, 0);
		return EXIT_PERMANENT;
	}
	fakenet_main(&o);
	return EXIT_DONE;
}
