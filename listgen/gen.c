#include "listgen/gen.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/cmd.h"
#include "common/line.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "listgen/position.h"

#define GEN_OUT_SIZE 65536
#define GEN_SAVE_NS NS_PER_SEC
/* A clock that stands further behind the last cycle was set back. */
#define GEN_CLOCK_SLACK_NS (2 * NS_PER_SEC)

enum gen_want { GEN_GO, GEN_NEW_CYCLE, GEN_STOP };

struct gen {
	const struct gen_config *cfg;
	const struct gen_source *src;
	void *arg;
	struct position pos;
	uint64_t number; /* of the target emitted last */
	uint64_t flushed; /* ... of the last one stdout took */
	uint64_t acked; /* ... of the last one that was acked */
	int end_acked; /* and so is the end of the cycle */
	int ended; /* it was emitted */
	int acks; /* acks tell what is accepted, not stdout */
	int stale; /* the open cycle was begun with another list than there is */
	enum gen_want want;
	int code; /* to exit with: a signal is not the end of the work */
	char tail[32]; /* " LIST CYCLE\n" */
	size_t tail_len;
	char out[GEN_OUT_SIZE];
	size_t out_len;
	int in_fd; /* -1: no commands will come */
	int signal_fd; /* -1: signals end the program as always */
	struct line_buf in;
};

/* --- the position --------------------------------------------------------- */

static uint64_t
accepted(const struct gen *g)
{
	return g->acks ? g->acked : g->flushed;
}

static void
save(struct gen *g, int64_t now_ns)
{
	position_save(&g->pos, accepted(g), now_ns);
}

/* --- commands ------------------------------------------------------------- */

static const char *
do_ack(struct gen *g, char *arg)
{
	char *end = strchr(arg, ' ');
	uint64_t n;

	if (end != NULL)
		*end++ = '\0';
	if (scan_u64(arg, 0, UINT64_MAX, &n) == -1 ||
	    (end != NULL && strcmp(end, "end") != 0))
		return "ack takes a number, and may take end";
	if (n > g->number || (end != NULL && !g->ended))
		return "ack is beyond what was sent";
	g->acks = 1;
	g->end_acked |= end != NULL;
	if (n > g->acked) {
		g->acked = n;
		g->pos.dirty = 1;
	}
	return NULL;
}

static const char *
do_update(struct gen *g, char *arg)
{
	return position_update(&g->pos, arg);
}

static const char *
do_new_cycle(struct gen *g, char *arg)
{
	uint32_t after;

	/* Said to a process that was started when it was due: maybe it is done,
	 * but not by a cycle that was begun before the list was changed. */
	if (*arg != '\0' && scan_u32(arg, 1, UINT32_MAX, &after) == -1)
		return "new-cycle takes nothing, or a cycle";
	if (*arg != '\0' && g->pos.cycle > after && !g->stale)
		return NULL;
	if (g->want == GEN_GO)
		g->want = GEN_NEW_CYCLE;
	return NULL;
}

static const char *
do_stop(struct gen *g, char *arg)
{
	if (*arg != '\0')
		return "stop takes nothing";
	g->want = GEN_STOP;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*run)(struct gen *g, char *arg);
} commands[] = {
    {"ack", do_ack},
    {"update", do_update},
    {"new-cycle", do_new_cycle},
    {"stop", do_stop},
};

static const char *
do_command(struct gen *g, char *line)
{
	char *arg = line + strcspn(line, " ");

	if (*arg == ' ')
		*arg++ = '\0';
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(line, commands[i].name) == 0)
			return commands[i].run(g, arg);
	}
	return "unknown command";
}

static void
read_commands(struct gen *g)
{
	enum line_result r;
	const char *why;
	char *line, *space;
	size_t room;
	ssize_t n;

	space = line_space(&g->in, &room);
	n = read(g->in_fd, space, room);
	if (n == -1 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		g->in_fd = -1;
		return;
	}
	line_added(&g->in, (size_t)n);
	while ((r = line_next(&g->in, &line)) != LINE_MORE) {
		why = r == LINE_OK ? do_command(g, line) : line_reason(r);
		if (why != NULL)
			log_warn("standard input:%llu: %s",
			    (unsigned long long)g->in.number, why);
	}
}

/* --- waiting and writing -------------------------------------------------- */

/* Milliseconds to wait until WAKE_NS (0: for ever), and to the next save. */
static int
poll_ms(const struct gen *g, int64_t now_ns, int64_t wake_ns)
{
	int64_t due_ns = wake_ns;

	if (g->pos.dirty &&
	    (due_ns == 0 || g->pos.saved_ns + GEN_SAVE_NS < due_ns))
		due_ns = g->pos.saved_ns + GEN_SAVE_NS;
	if (due_ns == 0)
		return -1;
	if (due_ns <= now_ns)
		return 0;
	due_ns = (due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return due_ns < INT_MAX ? (int)due_ns : INT_MAX;
}

/*
 * Wait for room on stdout (if OUT), a command, a signal, or WAKE_NS on the
 * monotonic clock (0: none).  Non-zero when stdout may be written.
 */
static int
wait_any(struct gen *g, int out, int64_t wake_ns)
{
	struct pollfd fds[] = {
	    {.fd = STDOUT_FILENO, .events = out ? POLLOUT : 0},
	    {.fd = g->in_fd, .events = POLLIN},
	    {.fd = g->signal_fd, .events = POLLIN},
	};
	int64_t now_ns = clock_mono_ns();

	if (g->pos.dirty && now_ns - g->pos.saved_ns >= GEN_SAVE_NS)
		save(g, now_ns);
	if (poll(fds, 3, poll_ms(g, now_ns, wake_ns)) == -1)
		return 0;
	if (fds[1].revents != 0)
		read_commands(g);
	/* An error on stdout means that its reader is gone. */
	if (!out && fds[0].revents != 0)
		g->want = GEN_STOP;
	if (fds[2].revents != 0) {
		g->want = GEN_STOP;
		g->code = EXIT_TEMPORARY;
	}
	return out && fds[0].revents != 0;
}

/* Whole lines of P, at most PIPE_BUF bytes: a pipe takes them at once. */
static size_t
chunk(const char *p, size_t len)
{
	if (len <= PIPE_BUF)
		return len;
	return (size_t)((const char *)memrchr(p, '\n', PIPE_BUF) - p) + 1;
}

/* The ip lines in LEN bytes of whole lines at P. */
static uint64_t
count_ip(const char *p, size_t len)
{
	const char *end = p + len;
	uint64_t n = 0;

	for (; p < end; p = (const char *)memchr(p, '\n', end - p) + 1)
		n += *p == 'i';
	return n;
}

/* Write the buffer; gives up when told to stop or nobody reads. */
static void
flush(struct gen *g)
{
	size_t done = 0;
	ssize_t n;

	while (done < g->out_len && g->want != GEN_STOP) {
		if (!wait_any(g, 1, 0))
			continue;
		n = write(STDOUT_FILENO, g->out + done,
		    chunk(g->out + done, g->out_len - done));
		if (n >= 0) {
			g->flushed += count_ip(g->out + done, (size_t)n);
			g->pos.dirty |= !g->acks;
			done += (size_t)n;
		} else if (errno != EAGAIN && errno != EINTR) {
			if (errno != EPIPE) {
				log_warn(
				    "standard output: %s", strerror(errno));
				g->code = EXIT_TEMPORARY;
			}
			g->want = GEN_STOP;
		}
	}
	g->out_len = 0;
}

static void
put(struct gen *g, const char *text, size_t len)
{
	memcpy(g->out + g->out_len, text, len);
	g->out_len += len;
}

static void
put_ip(struct gen *g, const char *text, size_t len)
{
	put(g, "ip ", 3);
	put(g, text, len);
	put(g, g->tail, g->tail_len);
	g->number++;
	if (sizeof(g->out) - g->out_len < LINE_MAX_COMMAND)
		flush(g);
}

static void
put_cmd(struct gen *g, enum cmd_verb verb)
{
	struct cmd c = {
	    .verb = verb, .list = g->cfg->list, .cycle = g->pos.cycle};
	char line[LINE_MAX_COMMAND + 1];
	int n;

	c.from = g->number + 1;
	c.probe = g->cfg->probe;
	snprintf(c.name, sizeof(c.name), "%s", g->cfg->name);
	snprintf(c.descr, sizeof(c.descr), "%s", g->cfg->descr);
	n = cmd_format(&c, line, sizeof(line));
	if (n == -1)
		log_fatal(EXIT_PERMANENT, "the begin line would be too long");
	put(g, line, (size_t)n);
	flush(g);
}

/* --- cycles --------------------------------------------------------------- */

/* The last start of an interval that all clocks agree on, Unix time. */
static uint32_t
aligned_start(const struct gen *g)
{
	int64_t now_ns = clock_wall_ns();

	return (uint32_t)((now_ns - now_ns % g->cfg->interval_ns) / NS_PER_SEC);
}

/* When the next cycle is due, by the wall clock. */
static int64_t
cycle_due(const struct gen *g)
{
	int64_t last_ns = (int64_t)g->pos.cycle * NS_PER_SEC;

	if (g->cfg->aligned)
		last_ns -= last_ns % g->cfg->interval_ns;
	return last_ns + g->cfg->interval_ns;
}

/* The next cycle's id: its start, and always more than the last one. */
static uint32_t
next_cycle(struct gen *g)
{
	int64_t wait_ns;
	uint32_t id;

	while (g->pos.cycle != 0 && g->want == GEN_GO) {
		wait_ns = cycle_due(g) - clock_wall_ns();
		if (wait_ns <= 0 ||
		    wait_ns > g->cfg->interval_ns + GEN_CLOCK_SLACK_NS)
			break;
		wait_any(g, 0, clock_mono_ns() + wait_ns);
	}
	if (g->want == GEN_NEW_CYCLE)
		g->want = GEN_GO;
	id = g->cfg->aligned ? aligned_start(g)
			     : (uint32_t)(clock_wall_ns() / NS_PER_SEC);
	return id > g->pos.cycle ? id : g->pos.cycle + 1;
}

/* Go behind the targets that were accepted before a restart. */
static void
skip_accepted(struct gen *g)
{
	const char *text;
	uint64_t n = 0;

	if (g->stale)
		log_warn("the list or what it leaves out has changed within "
			 "cycle %u: going on behind number %llu of the new one",
		    g->pos.cycle, (unsigned long long)g->number);
	while (n < g->number && g->src->next(g->arg, &text) != 0)
		n++;
	if (n < g->number)
		log_warn("the list ends at number %llu, before the position "
			 "%llu",
		    (unsigned long long)n, (unsigned long long)g->number);
}

/* Read the list for a cycle that begins, until there is room for its begin.  An
 * order for a new one that comes meanwhile is obeyed by reading it again: behind
 * the begin it could not be told whether this is the answer.  0; -1: logged. */
static int
read_list(struct gen *g)
{
	struct gen_start at = {.cycle = g->pos.cycle};

	do {
		if (g->want == GEN_NEW_CYCLE)
			g->want = GEN_GO;
		at.file = position_file(&g->pos);
		if (g->src->rewind(g->arg, &at, g->pos.identity) == -1)
			return -1;
		while (g->want == GEN_GO && !wait_any(g, 1, 0))
			continue;
	} while (g->want == GEN_NEW_CYCLE);
	g->number = g->flushed = g->acked = 0;
	g->stale = 0;
	return 0;
}

/* The same for the one that is open since before a restart. */
static int
read_list_again(struct gen *g)
{
	struct gen_start at = {.cycle = g->pos.cycle, .more = 1};
	char was[GEN_IDENTITY_MAX];

	at.file = position_file(&g->pos);
	strcpy(was, g->pos.identity);
	if (g->src->rewind(g->arg, &at, g->pos.identity) == -1)
		return -1;
	g->stale = strcmp(was, g->pos.identity) != 0;
	skip_accepted(g);
	return 0;
}

/* Begin a cycle, or go on with the one that is open. */
static int
open_cycle(struct gen *g)
{
	int more = g->pos.open;

	if (!more)
		g->pos.cycle = next_cycle(g);
	if (g->want == GEN_STOP)
		return 0;
	if ((more ? read_list_again(g) : read_list(g)) == -1)
		return -1;
	g->ended = g->end_acked = 0;
	g->pos.open = 1;
	save(g, clock_mono_ns());
	g->tail_len = (size_t)snprintf(
	    g->tail, sizeof(g->tail), " %u %u\n", g->cfg->list, g->pos.cycle);
	put_cmd(g, CMD_BEGIN);
	return 0;
}

/* All of the cycle, and its end, is accepted. */
static int
is_taken(const struct gen *g)
{
	return accepted(g) == g->number && (!g->acks || g->end_acked);
}

static void
close_cycle(struct gen *g)
{
	flush(g);
	if (g->want == GEN_NEW_CYCLE)
		g->want = GEN_GO;
	g->ended = 1;
	put_cmd(g, CMD_END);
	while (g->acks && !is_taken(g) && g->in_fd != -1 && g->want != GEN_STOP)
		wait_any(g, 0, 0);
	if (g->want == GEN_STOP || !is_taken(g))
		return;
	g->pos.open = 0;
	save(g, clock_mono_ns());
}

static int
run_cycles(struct gen *g)
{
	const char *text;
	size_t len;
	int again;

	do {
		if (open_cycle(g) == -1)
			return EXIT_TEMPORARY;
		while (g->want == GEN_GO &&
		    (len = g->src->next(g->arg, &text)) != 0)
			put_ip(g, text, len);
		again = g->cfg->repeat || g->want == GEN_NEW_CYCLE;
		if (g->want != GEN_STOP)
			close_cycle(g);
		again |= g->want == GEN_NEW_CYCLE;
		/* Without the last acks the cycle is not ours to end. */
	} while (again && g->want != GEN_STOP && !g->pos.open);
	return g->code;
}

/* --- the frame ------------------------------------------------------------ */

/* Standard input brings commands when it is a pipe or a socket: a terminal
 * or a file there is somebody else's. */
static int
command_fd(void)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st) == -1)
		return -1;
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return -1;
	return STDIN_FILENO;
}

/* SIGTERM and SIGINT as a descriptor, so that the position is kept. */
static int
catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

const char *
gen_defaults(struct gen_config *cfg)
{
	const char *list = getenv("SCAMPER_LIST");

	memset(cfg, 0, sizeof(*cfg));
	cfg->list = 1;
	cfg->probe = "trace";
	cfg->interval_ns = NS_PER_SEC;
	cfg->name = getenv("SCAMPER_LIST_NAME");
	cfg->descr = getenv("SCAMPER_LIST_DESCR");
	if (cfg->name == NULL)
		cfg->name = "";
	if (cfg->descr == NULL)
		cfg->descr = "";
	cfg->managed = list != NULL;
	if (list != NULL && scan_u32(list, 0, INT32_MAX, &cfg->list) == -1)
		return "SCAMPER_LIST is not a list number";
	return NULL;
}

/* What the command line says must make lines that a Prober takes. */
static const char *
check_config(const struct gen_config *cfg)
{
	struct cmd c = {.verb = CMD_BEGIN, .list = cfg->list, .cycle = 1};
	char line[LINE_MAX_COMMAND + 1];

	c.from = UINT64_MAX;
	c.probe = cfg->probe;
	if (strlen(cfg->name) >= sizeof(c.name))
		return "the name is too long";
	if (strlen(cfg->descr) >= sizeof(c.descr))
		return "the description is too long";
	strcpy(c.name, cfg->name);
	strcpy(c.descr, cfg->descr);
	if (cmd_format(&c, line, sizeof(line)) == -1)
		return "description with a quote in it, or line too long";
	line[strlen(line) - 1] = '\0';
	for (const char *s = line; *s != '\0'; s++) {
		if (*s < ' ' || *s > '~')
			return "only printable ASCII can be said in a line";
	}
	return cmd_parse(line, &c);
}

void
gen_identify(const struct stat *st, char id[GEN_IDENTITY_MAX])
{
	size_t n = strlen(id);

	snprintf(id + n, GEN_IDENTITY_MAX - n, "%s%lld:%lld.%09ld",
	    n != 0 ? " " : "", (long long)st->st_size,
	    (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

int
gen_run(const struct gen_config *cfg, const struct gen_source *src, void *arg)
{
	struct gen *g = xcalloc(1, sizeof(*g));
	const char *why = check_config(cfg);
	int code;

	if (why == NULL && cfg->state != NULL)
		why = position_check(cfg->file);
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "%s", why);
	signal(SIGPIPE, SIG_IGN);
	g->cfg = cfg;
	g->src = src;
	g->arg = arg;
	g->in_fd = command_fd();
	g->signal_fd = cfg->state != NULL ? catch_signals() : -1;
	g->acks = cfg->managed && g->in_fd != -1;
	line_init(&g->in, LINE_MAX_COMMAND, 4 * LINE_MAX_COMMAND);
	position_load(&g->pos, cfg->state, cfg->file);
	g->number = g->flushed = g->acked = g->pos.accepted;
	code = run_cycles(g);
	if (g->pos.dirty)
		save(g, clock_mono_ns());
	line_clear(&g->in);
	free(g);
	return code;
}
