/*
 * options: the command line, as the rest of the program sees it.
 */
#ifndef PROBER_OPTIONS_H
#define PROBER_OPTIONS_H

#include "prober/output.h"
#include "prober/polite.h"
#include "prober/source/source.h"

#define OPTIONS_DNP_MAX 64 /* files */

struct options {
	const char *command; /* -c */
	uint32_t pps, window, list, cycle;
	int64_t hold_ns;
	const char *monitor, *list_name, *pidfile, *commands, *status, *user;
	struct output_config out;
	const char *config; /* -g, or NULL */
	const char *dnp[OPTIONS_DNP_MAX]; /* ndnp */
	int ndnp;
	struct polite_config polite;
	uint32_t ring_blocks; /* -O ring-blocks=, 0: not given */
	int addresses, command_words, file; /* -i -I -f */
	enum file_lines lines; /* of -f: -O cmdfile, -O tsps */
	int daemon, raw, verbose, planetlab;
	struct control_config control; /* -P -U -R and theirs */
	char port[64]; /* control.port */
};

/* Is it to be scamper's daemon: -P, -U or -R? */
int options_has_clients(const struct options *o);

/* Say what is wrong and how to use it; exit 255. */
_Noreturn void options_refuse(const char *why);

/* Called as scamper-ping or the like: the command is in O, and the index of the
 * first address is returned; else 0. */
int options_alias(struct options *o, int argc, char **argv);

/* Parse; usage errors end the program (255).  The index of the first operand. */
int options_parse(struct options *o, int argc, char **argv);

#endif
