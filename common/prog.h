/*
 * prog: the skeleton of a program: options, event base, signals, daemon, pid
 * file, privilege drop.  Used by main files only.
 */
#ifndef COMMON_PROG_H
#define COMMON_PROG_H

#include <signal.h>

struct event;
struct event_base;

/*
 * One row per option.  SET gets the option's argument (NULL for a flag) and
 * returns NULL or a static reason.
 */
struct prog_opt {
	char letter; /* 0: no short form */
	const char *name; /* long form without --, NULL: none */
	const char *arg; /* what the argument is called, NULL: a flag */
	const char *help; /* one line */
	const char *(*set)(void *ctx, const char *arg);
};

struct prog_usage {
	const char *name; /* of the program */
	const char *synopsis; /* "[options] SCHEDULE" */
	const char *purpose; /* one line */
	int exit_code; /* on a usage error */
};

/*
 * Parse as getopt_long(3) does, options and operands in any order (argv is
 * permuted).  TABLE ends with a row of zeros.  --help and --version are added.
 * On an error prints what is wrong and how to get help, and exits with
 * usage->exit_code.  Returns the index of the first operand.  A standard stream
 * that is closed gives EBADF from here on, and its number to no other file.
 */
int prog_options(const struct prog_usage *usage, const struct prog_opt *table,
    int argc, char **argv, void *ctx);

/* Print usage and the option table to standard output (HELP) or error. */
void prog_print_usage(
    const struct prog_usage *usage, const struct prog_opt *table, int help);

/* A new event base; SIGPIPE is ignored from here on.  Dies on failure. */
struct event_base *prog_base(void);

/* Call CB(signo, 0, arg) in the loop whenever SIGNO arrives.  Dies on failure.
 * The caller owns the event (event_free). */
struct event *prog_signal(struct event_base *base, int signo,
    void (*cb)(int, short, void *), void *arg);

/* All is set up (prog_ready): run the loop until SIGTERM or SIGINT comes or
 * somebody breaks it; HUP(ARG) is called at each SIGHUP.  Non-zero when a signal
 * ended it.  Dies on failure. */
int prog_serve(struct event_base *base, void (*hup)(void *arg), void *arg);

/* The exit code of a program that could not start because of ERROR (errno):
 * temporary for what goes away by itself, such as a full or failing disk;
 * permanent for what somebody has to mend. */
int prog_exit_code(int error);

/* Go to the background (before prog_base): the parent exits 0 when the child
 * calls prog_ready(); if the child ends before, with the child's exit code,
 * 111 if a signal killed it.  Standard input is /dev/null from here on; output
 * and error stay until prog_ready(), which lets go of a terminal and keeps a
 * file.  The working directory stays.  prog_ready() in the foreground does
 * nothing. */
void prog_daemon(void);
void prog_ready(void);

/* Write the decimal pid and a newline to PATH, mode 644.  0, or -1 + errno. */
int prog_pidfile(const char *path);

/* Become USER (name) for good: setgroups, setgid, setuid, no way back;
 * capabilities in KEEP (bit mask of 1 << CAP_…, 0 none) are kept.  NULL, or a
 * static reason. */
const char *prog_drop(const char *user, unsigned long long keep);

#endif
