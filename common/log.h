/*
 * log: one line per event, to standard error or to syslog, each with the
 * program's tag.  Daemons are silent while all is well: `info' is shown only
 * when the operator asked for it with -v, `debug' with -v -v.
 *
 * A function returns an error or logs it, never both.  errno is preserved by
 * every call, so that logging cannot change what is being reported.
 *
 *	listmgr: schedule:7: unknown key "wieght"
 *	^tag     ^what happened, where and why; control bytes become ?
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

/* Exit codes of all programs (docs/ARCHITECTURE.md). */
enum log_exit {
	EXIT_DONE = 0, /* all that was asked is done */
	EXIT_PERMANENT = 100, /* do not restart: it would fail again */
	EXIT_TEMPORARY = 111, /* restart later may help */
};

/*
 * TAG (kept, not copied) starts every line.  SYSLOG non-zero sends to syslog
 * with facility daemon instead of standard error.  VERBOSE: 0 shows warnings,
 * 1 adds info, 2 adds debug.
 */
void log_init(const char *tag, int use_syslog, int verbose);

/* One line each, at their level; \n is added. */
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Log and exit with CODE, one of enum log_exit. */
_Noreturn void
log_fatal(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
