/*
 * verbs: the lines that a server is told, by a table: which verb, how many words,
 * in which state of the session; and who carries it out.
 *
 *	commit 7 9f86…		cut at blanks: words[0] "commit", [1] "7", [2] ...
 *	refuse 7 9f86… no tail mark
 *				of a row with `rest' the last word takes what is
 *				left of the line, with its blanks
 *
 * It knows nothing of channels and answers nothing: a reason goes back to the
 * caller, who has the peer.
 */
#ifndef COMMON_VERBS_H
#define COMMON_VERBS_H

#include <stddef.h>

#define VERBS_WORDS_MAX 8

struct verbs_row {
	const char *name;
	int min, max; /* words, with the verb; max VERBS_WORDS_MAX at most */
	int rest; /* the last of max words is the rest of the line */
	unsigned int when; /* states in which it may come: 1 << state */
	/* WORDS: behind the last, NULLs up to [VERBS_WORDS_MAX].  NULL, or a
	 * static reason why it cannot be. */
	const char *(*run)(void *arg, char **words);
};

struct verbs {
	const struct verbs_row *rows;
	size_t count;
	const char *const *not_now; /* by state: why other verbs must wait */
};

/* Do what LINE says, which is cut to pieces, in STATE.  NULL, or a static reason:
 * that of the verb, or why there is none. */
const char *
verbs_run(const struct verbs *v, char *line, unsigned int state, void *arg);

#endif
