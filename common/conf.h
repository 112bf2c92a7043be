/*
 * conf: line-oriented configuration through a table of keys.
 *
 *	# comment to the end of the line
 *	key argument argument key=value ...
 *
 * All errors of a file are reported, each as FILE:LINE: REASON, not only the
 * first.  Blank lines and comments are skipped; "..." groups words.  A comment
 * starts with a # that begins a word and may hold any byte but NUL; everything
 * else is printable ASCII.  The last line may lack its \n.
 */
#ifndef COMMON_CONF_H
#define COMMON_CONF_H

#include <stddef.h>

#define CONF_WORDS_MAX 64
#define CONF_LINE_MAX 1024
#define CONF_FILE_MAX (16u << 20)

struct conf_key {
	const char *name; /* first word of the line */
	int min, max; /* number of words behind it; max -1: any */
	int once; /* non-zero: may appear once only */
	/* NULL, or a static reason.  WORDS[0] is the key itself. */
	const char *(*set)(void *ctx, char **words, int nwords, int line);
	const char *usage; /* "list NUMBER weight=N ...", for errors */
};

/* Called once per error; FILE:LINE is for the message. LINE 0: whole file.
 * REASON is good during the call only. */
typedef void (*conf_error_cb)(
    void *arg, const char *file, int line, const char *reason);

/* A conf_error_cb that logs "FILE:LINE: REASON" as a warning. */
void conf_log_error(void *arg, const char *file, int line, const char *reason);

/* Read PATH ("-": standard input) through TABLE (ends with zeros).  Returns
 * the number of errors, each given to CB. */
int conf_load(const char *path, const struct conf_key *table, void *ctx,
    conf_error_cb cb, void *arg);

/* A configuration in memory; NAME stands for the file in messages. */
struct conf_text {
	const char *name;
	const char *text;
	size_t len; /* of text, bytes */
};

/* The same from memory. */
int conf_parse(const struct conf_text *t, const struct conf_key *table,
    void *ctx, conf_error_cb cb, void *arg);

/* One line that is neither blank nor comment, NWORDS >= 1.  Returns NULL, or a
 * reason that is good until the next call. */
typedef const char *(*conf_line_cb)(
    void *ctx, char **words, int nwords, int line);

/* As conf_load and conf_parse, for a file without keys: EACH gets each line. */
int conf_load_lines(const char *path, conf_line_cb each, void *ctx,
    conf_error_cb cb, void *arg);
int conf_parse_lines(const struct conf_text *t, conf_line_cb each, void *ctx,
    conf_error_cb cb, void *arg);

#endif
