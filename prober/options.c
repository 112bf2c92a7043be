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
#define MONITOR_MAX 254 /* of sc_remoted */
#define MONITOR_CHARS                                                    \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" \
	".-"
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
STRING_OPTION(set_config, config)
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

STRING_OPTION(set_limits, polite.limits)
STRING_OPTION(set_stop_file, polite.stop_file)
STRING_OPTION(set_floor, polite.floor)
NUMBER_OPTION(set_address_pps, polite.rates.address_pps, 1, PPS_MAX)
NUMBER_OPTION(set_prefix_pps, polite.rates.prefix_pps, 1, PPS_MAX)

static const char *
set_dead_man(void *ctx, const char *arg)
{
	struct options *o = ctx;

	if (scan_duration(arg, NS_PER_SEC, &o->polite.rates.dead_man_ns) ==
		-1 ||
	    o->polite.rates.dead_man_ns < NS_PER_SEC)
		return "a duration of at least one second is needed";
	return NULL;
}

/* "24" or "24,48" */
static const char *
set_prefix_len(void *ctx, const char *arg)
{
	struct options *o = ctx;
	const char *comma = strchr(arg, ',');
	size_t n = comma != NULL ? (size_t)(comma - arg) : strlen(arg);
	uint32_t len[2] = {24, 48};
	char v4[4] = "";

	if (n < sizeof(v4))
		memcpy(v4, arg, n);
	if (scan_u32(v4, 1, 32, &len[0]) == -1 ||
	    (comma != NULL && scan_u32(comma + 1, 1, 128, &len[1]) == -1))
		return "prefix lengths are LEN or LEN,LEN6";
	o->polite.prefix_len[0] = (uint8_t)len[0];
	o->polite.prefix_len[1] = (uint8_t)len[1];
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

STRING_OPTION(set_control_path, control.path)

static const char *
set_remote(void *ctx, const char *arg)
{
	const char *colon = strrchr(arg, ':');
	uint32_t port;

	if (colon == NULL || colon == arg ||
	    scan_u32(colon + 1, 1, 65535, &port) == -1)
		return "a name and a port are needed: NAME:PORT";
	((struct options *)ctx)->control.remote = arg;
	return NULL;
}

/* "PORT" on the loopback interface, "IP:PORT", "[IP6]:PORT". */
static const char *
set_port(void *ctx, const char *arg)
{
	struct options *o = ctx;
	const char *colon = strrchr(arg, ':');
	uint32_t port;

	if (scan_u32(colon != NULL ? colon + 1 : arg, 1, 65535, &port) == -1)
		return "a port from 1 to 65535 is needed";
	if ((size_t)snprintf(o->port, sizeof(o->port), "%s%s",
		colon != NULL ? "" : "127.0.0.1:", arg) >= sizeof(o->port))
		return "not an address and port";
	o->control.port = o->port;
	return NULL;
}

static const char *
set_nameserver(void *ctx, const char *arg)
{
	struct options *o = ctx;
	struct addr a;

	if (addr_scan(arg, &a) == -1)
		return "not an IP address";
	o->control.nameserver = arg;
	return NULL;
}

/* For sting and tbit, by ipfw or pf: there is no such thing on Linux. */
static const char *
set_firewall(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	return "there is no ipfw or pf on this system";
}

static const char *
set_debug_file(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	return "there is no debug file: use --verbose, twice for more";
}

static const char *
set_generation(struct options *o, const char *arg)
{
	uint32_t year;

	if (scan_u32(arg, 2021, 2026, &year) == -1 ||
	    (year != 2021 && year != 2026))
		return "generation is 2021 or 2026";
	o->control.generation = o->out.generation = year;
	return NULL;
}

/* Words of scamper's that ask for what is always so here. */
static const char *const no_effect[] = {"select", "epoll", "kqueue", "poll",
    "noinitndc", "ring", "noring", "ring-locked", "ring-nolocked", "dl-any",
    "dyn-filter", "icmp-rxerr", "rxerr-icmp", "debugfileappend", NULL};

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
set_other_word(const char *arg)
{
	if (is_one_of(arg, no_effect) ||
	    scan_keyvalue(arg, "ring-block-size") != NULL)
		return NULL;
	return "unknown word";
}

static const char *
set_control_word(struct options *o, const char *arg)
{
	const char *generation = scan_keyvalue(arg, "generation");
	const char *ca = scan_keyvalue(arg, "cafile");
	const char *cert = scan_keyvalue(arg, "client-certfile");
	const char *key = scan_keyvalue(arg, "client-privfile");

	if (generation != NULL)
		return set_generation(o, generation);
	if (ca != NULL)
		o->control.tls_files.ca = ca;
	else if (cert != NULL)
		o->control.tls_files.cert = cert;
	else if (key != NULL)
		o->control.tls_files.key = key;
	else if (strcasecmp(arg, "notls") == 0)
		o->control.tls = CONTROL_TLS_NEVER;
	else if (strcasecmp(arg, "notls-remote") == 0)
		o->control.tls = CONTROL_TLS_UNASKED;
	else if (strcasecmp(arg, "tls") == 0)
		o->control.tls = CONTROL_TLS_ALWAYS;
	else if (strcasecmp(arg, "outcopy") == 0)
		o->control.outcopy = 1;
	else
		return set_other_word(arg);
	return NULL;
}

static const char *
set_word(void *ctx, const char *arg)
{
	struct options *o = ctx;
	const char *dnp = scan_keyvalue(arg, "dnp");
	const char *blocks = scan_keyvalue(arg, "ring-blocks");

	if (dnp != NULL && o->ndnp == OPTIONS_DNP_MAX)
		return "too many do-not-probe files";
	if (dnp != NULL)
		o->dnp[o->ndnp++] = dnp;
	else if (blocks != NULL)
		return set_number(blocks, 2, 65536, &o->ring_blocks);
	else if (output_is_format(arg))
		o->out.format = arg;
	else if (strcasecmp(arg, "cmdfile") == 0)
		o->lines = FILE_COMMANDS;
	else if (strcasecmp(arg, "tsps") == 0)
		o->lines = FILE_STAMPS;
	else if (strcasecmp(arg, "planetlab") == 0)
		o->planetlab = 1;
	else if (strcasecmp(arg, "raw") == 0 || strcasecmp(arg, "rawtcp") == 0)
		o->raw = 1;
	else
		return set_control_word(o, arg);
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
	"text, json, warts[.gz|.bz2|.xz]; cmdfile; dnp=FILE; see prober(8)",
	set_word},
    {'P', NULL, "[IP:]PORT", "obey clients that connect there", set_port},
    {'U', NULL, "PATH", "obey clients of this local socket", set_control_path},
    {'R', NULL, "NAME:PORT", "obey the sc_remoted there", set_remote},
    {'n', NULL, "IP", "name server", set_nameserver},
    {'g', NULL, "FILE", "which measurements are enabled", set_config},
    {'F', NULL, "FIREWALL", "not on this system", set_firewall},
    {'d', NULL, "FILE", "there is none here", set_debug_file},
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
    {0, "address-pps", "PPS", "packets per second to one address",
	set_address_pps},
    {0, "prefix-pps", "PPS", "packets per second to one prefix",
	set_prefix_pps},
    {0, "prefix-len", "LEN[,LEN6]", "how long its prefixes are (24,48)",
	set_prefix_len},
    {0, "limits", "FILE", "obey the limits in FILE, which may change",
	set_limits},
    {0, "dead-man", "TIME", "send nothing when that FILE is older",
	set_dead_man},
    {0, "dnp-floor", "FILE", "never probe the prefixes in FILE either",
	set_floor},
    {0, "stop-file", "FILE", "send nothing while FILE is there", set_stop_file},
    {'u', "user", "NAME", "run as NAME once all is open", set_user},
    {0, "verbose", NULL, "say more on standard error; twice: debug",
	set_verbose},
    {'v', NULL, NULL, "print the version and exit", print_version},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "prober",
    .synopsis = "[options] -i ADDRESS... | -I COMMAND... | [-f] FILE | "
		"--commands WHERE\n"
		"       | -P [IP:]PORT | -U PATH | -R NAME:PORT",
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

int
options_has_clients(const struct options *o)
{
	return o->control.port != NULL || o->control.path != NULL ||
	    o->control.remote != NULL;
}

/* Exactly one way of giving work. */
static const char *
check_work(struct options *o, int operands)
{
	int clients = options_has_clients(o);
	int ways =
	    o->addresses + o->command_words + (o->commands != NULL) + clients;

	/* A bare operand is a file, as in scamper. */
	if (ways == 0 && operands == 1)
		o->file = 1;
	ways += o->file;
	if (ways == 0)
		return "nothing to do: give -i, -I, -f, -P, -U, -R or "
		       "--commands";
	if (ways > 1)
		return "-i, -I, -f, --commands, and -P, -U and -R exclude "
		       "each other";
	if (o->commands != NULL && operands > 0)
		return "--commands takes no operands";
	if (clients && operands > 0)
		return "-P, -U and -R take no operands";
	if (o->commands == NULL && !clients && operands == 0)
		return "no address, command or file given";
	if (o->file && operands > 1)
		return "-f takes one file";
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
	if (out->spool != NULL && options_has_clients(o))
		return "--spool does not go with -P, -U and -R";
	if (o->daemon && out->spool == NULL && !options_has_clients(o) &&
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
	if (o->polite.rates.dead_man_ns != 0 && o->polite.limits == NULL)
		return "--dead-man goes with --limits";
	if (o->control.remote != NULL && o->monitor != NULL &&
	    (strlen(o->monitor) > MONITOR_MAX ||
		o->monitor[strspn(o->monitor, MONITOR_CHARS)] != '\0'))
		return "-M: with -R a name has letters, digits, . and - only";
	if (o->control.tls_files.key != NULL &&
	    o->control.tls_files.cert == NULL)
		return "-O client-privfile= goes with client-certfile=";
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
	o->polite.prefix_len[0] = 24;
	o->polite.prefix_len[1] = 48;
	o->control.generation = 2021;
	o->control.tls = CONTROL_TLS_NAMES;
	first = options_alias(o, argc, argv);
	if (first == 0)
		first = prog_options(&usage, table, argc, argv, o);
	o->out.monitor = o->monitor;
	why = check(o, argv + first, argc - first);
	if (why != NULL)
		options_refuse(why);
	o->polite.rates.pps = o->pps;
	if (o->command == NULL)
		o->command = "trace";
	if (o->list_name == NULL)
		o->list_name = "default";
	if (o->out.path == NULL)
		o->out.path = "-";
	o->control.command = o->command;
	o->control.monitor = o->monitor;
	o->control.out = &o->out;
	o->control.pps = o->pps;
	return first;
}
