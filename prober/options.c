/*
 * options: the command line, scamper's where scamper has it.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/prog.h"
#include "common/scan.h"
#include "prober/options.h"

#define PPS_DEFAULT 20
#define PPS_MAX 10000000
#define WINDOW_MAX 10000000
#define EXIT_USAGE 255 /* as scamper */

static const char *
set_number(const char *arg, uint32_t min, uint32_t max, uint32_t *out)
{
	return scan_u32(arg, min, max, out) == 0 ? NULL : "number out of range";
}

#define STRING_OPTION(fn, member)                         \
	static const char *fn(void *ctx, const char *arg) \
	{                                                 \
		((struct options *)ctx)->member = arg;    \
		return NULL;                              \
	}
#define FLAG_OPTION(fn, member)                           \
	static const char *fn(void *ctx, const char *arg) \
	{                                                 \
		(void)arg;                                \
		((struct options *)ctx)->member = 1;      \
		return NULL;                              \
	}
#define NUMBER_OPTION(fn, member, min, max)                           \
	static const char *fn(void *ctx, const char *arg)             \
	{                                                             \
		return set_number(                                    \
		    arg, min, max, &((struct options *)ctx)->member); \
	}

STRING_OPTION(set_command, command)
STRING_OPTION(set_monitor, monitor)
STRING_OPTION(set_list_name, list_name)
STRING_OPTION(set_output, out.path)
STRING_OPTION(set_pidfile, pidfile)
STRING_OPTION(set_spool, out.spool)
STRING_OPTION(set_commands, commands)
STRING_OPTION(set_status, status)
STRING_OPTION(set_user, user)
FLAG_OPTION(set_addresses, addresses)
FLAG_OPTION(set_command_words, command_words)
FLAG_OPTION(set_file, file)
FLAG_OPTION(set_daemon, daemon)
NUMBER_OPTION(set_pps, pps, 0, PPS_MAX)
NUMBER_OPTION(set_window, window, 0, WINDOW_MAX)
NUMBER_OPTION(set_list, list, 1, INT32_MAX)
NUMBER_OPTION(set_cycle, cycle, 1, INT32_MAX)

static const char *
set_hold(void *ctx, const char *arg)
{
	struct options *o = ctx;

	if (scan_duration(arg, NS_PER_SEC, &o->hold_ns) == -1 ||
	    o->hold_ns > 3600 * NS_PER_SEC)
		return "a duration up to one hour is needed";
	return NULL;
}

static const char *
set_quota(void *ctx, const char *arg)
{
	struct options *o = ctx;

	if (scan_u64(arg, 1, UINT64_MAX, &o->out.quota_bytes) == -1)
		return "a number of bytes is needed";
	return NULL;
}

static const char *
set_verbose(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->verbose++;
	return NULL;
}

static const char *
print_version(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	puts("scamper version " VERSION);
	exit(0);
}

/* -O words that choose an output format. */
static const char *const formats[] = {"text", "warts", "json", NULL};

/* Words of scamper's that ask for what is always so here. */
static const char *const no_effect[] = {"select", "epoll", "kqueue", "poll",
    "noinitndc", "ring", "notls", "notls-remote", "dl-any", NULL};

static int
is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++) {
		if (strcasecmp(word, *words) == 0)
			return 1;
	}
	return 0;
}

static const char *
set_word(void *ctx, const char *arg)
{
	struct options *o = ctx;
	const char *dnp = scan_keyvalue(arg, "dnp");
	const char *blocks = scan_keyvalue(arg, "ring-blocks");

	if (dnp != NULL)
		o->dnp = dnp;
	else if (blocks != NULL)
		return set_number(blocks, 2, 65536, &o->ring_blocks);
	else if (is_one_of(arg, formats))
		o->out.format = arg;
	else if (strcasecmp(arg, "cmdfile") == 0)
		o->cmdfile = 1;
	else if (strcasecmp(arg, "raw") == 0)
		o->raw = 1;
	else if (!is_one_of(arg, no_effect))
		return "unknown word";
	return NULL;
}

static const struct prog_opt table[] = {
    {'c', NULL, "COMMAND", "measurement for bare addresses (trace)",
	set_command},
    {'i', NULL, NULL, "operands are addresses", set_addresses},
    {'I', NULL, NULL, "operands are whole commands", set_command_words},
    {'f', NULL, NULL, "the operand is a file of addresses, - is stdin",
	set_file},
    {'p', NULL, "PPS", "packets per second, 0: no limit (20)", set_pps},
    {'w', NULL, "N", "measurements in progress at a time, 0: no limit (0)",
	set_window},
    {'M', NULL, "NAME", "name of this monitor", set_monitor},
    {'l', NULL, "NAME", "list name (default)", set_list_name},
    {'L', NULL, "ID", "list number (0)", set_list},
    {'C', NULL, "ID", "cycle number (0)", set_cycle},
    {'o', NULL, "FILE", "where results go, - is stdout (-)", set_output},
    {'O', NULL, "WORD",
	"text, warts, json; cmdfile; dnp=FILE; raw; ring-blocks=N", set_word},
    {'H', "hold", "TIME", "hold time of an address being probed (5s)",
	set_hold},
    {'e', NULL, "FILE", "write the process id to FILE", set_pidfile},
    {'D', NULL, NULL, "run in the background", set_daemon},
    {'s', "spool", "DIR", "write records to the spool in DIR", set_spool},
    {0, "spool-quota", "BYTES", "pause while so much waits in the spool",
	set_quota},
    {0, "commands", "WHERE",
	"probing commands from - (stdin) or clients of a local socket",
	set_commands},
    {0, "status", "FILE", "keep counters and books in FILE", set_status},
    {'u', "user", "NAME", "run as NAME once all is open", set_user},
    {0, "verbose", NULL, "say more on standard error; twice: debug",
	set_verbose},
    {'v', NULL, NULL, "print the version and exit", print_version},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "prober",
    .synopsis = "[options] [-i] ADDRESS... | -I COMMAND... | [-f] FILE",
    .purpose = "Measure paths to many addresses at once.",
    .exit_code = EXIT_USAGE,
};

_Noreturn void
options_refuse(const char *why)
{
	fprintf(stderr,
	    "prober: %s\nusage: prober %s\n"
	    "Try 'prober --help' for the options.\n",
	    why, usage.synopsis);
	exit(EXIT_USAGE);
}

/* Exactly one way of giving work. */
static const char *
check_work(struct options *o, int operands)
{
	int ways = o->addresses + o->command_words + (o->commands != NULL);

	/* A bare operand is a file, as in scamper. */
	if (ways == 0 && operands == 1)
		o->file = 1;
	ways += o->file;
	if (ways == 0)
		return "nothing to do: give -i, -I, -f or --commands";
	if (ways > 1)
		return "-i, -I, -f and --commands exclude each other";
	if (o->commands != NULL && operands > 0)
		return "--commands takes no operands";
	if (o->commands == NULL && operands == 0)
		return "no address, command or file given";
	if (o->file && operands > 1)
		return "-f takes one file";
	if (o->cmdfile && !o->file)
		return "-O cmdfile goes with -f";
	if (o->commands != NULL &&
	    (o->command != NULL || o->list_name != NULL || o->list != 0 ||
		o->cycle != 0))
		return "-c, -l, -L and -C do not go with --commands, which "
		       "brings its own";
	return NULL;
}

/* One place for the records, and one that is there. */
static const char *
check_output(const struct options *o)
{
	const struct output_config *out = &o->out;

	if (out->spool != NULL && out->path != NULL)
		return "--spool and -o exclude each other";
	if (out->spool == NULL && out->quota_bytes != 0)
		return "--spool-quota goes with --spool";
	if (out->spool != NULL && out->format != NULL &&
	    strcasecmp(out->format, "warts") != 0)
		return "the spool holds warts only";
	if (o->daemon && out->spool == NULL &&
	    (out->path == NULL || strcmp(out->path, "-") == 0))
		return "-D has no standard output: give --spool or -o FILE";
	return NULL;
}

static const char *
check(struct options *o, char **operands, int n)
{
	const char *input, *why = check_work(o, n);

	if (why == NULL)
		why = check_output(o);
	if (why != NULL)
		return why;
	input = o->file ? operands[0] : o->commands;
	if (o->daemon && input != NULL && strcmp(input, "-") == 0)
		return "-D has no standard input";
	if (o->pps == 0 && o->window == 0)
		return "-p 0 needs a window, -w";
	if (o->list_name != NULL && *o->list_name == '\0')
		return "-l: the name is empty";
	return NULL;
}

int
options_parse(struct options *o, int argc, char **argv)
{
	const char *why;
	int first;

	memset(o, 0, sizeof(*o));
	o->pps = PPS_DEFAULT;
	o->hold_ns = 5 * NS_PER_SEC;
	first = prog_options(&usage, table, argc, argv, o);
	o->out.monitor = o->monitor;
	why = check(o, argv + first, argc - first);
	if (why != NULL)
		options_refuse(why);
	if (o->command == NULL)
		o->command = "trace";
	if (o->list_name == NULL)
		o->list_name = "default";
	if (o->out.path == NULL)
		o->out.path = "-";
	return first;
}
