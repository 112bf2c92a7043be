/*
 * schedule_print: the canonical form of a schedule: the monitor, its lists, its
 * files, its code, each in its order; keys in the order of schedule(5), one
 * blank between words, quotes only where a word needs them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/schedule_own.h"
#include "common/segment_dir.h"

static const char *const change_names[] = {
    [SCHEDULE_NONE] = "none",
    [SCHEDULE_UPDATE] = "update",
    [SCHEDULE_NEW_CYCLE] = "new-cycle",
    [SCHEDULE_RESTART] = "restart",
};

const char *
schedule_change_name(enum schedule_change change)
{
	return change_names[change];
}

/* KEY (or nothing) and WORD as one word of a line: in quotes only where it
 * must be, so that no line becomes longer than it came. */
static void
print_word(FILE *f, const char *key, const char *word)
{
	int bare = *key == '\0' && (*word == '\0' || *word == '#');
	int quote = bare || word[strcspn(word, " \t")] != '\0';

	fprintf(f, quote ? " %s\"%s\"" : " %s%s", key, word);
}

static void
print_file(FILE *f, const struct schedule_file *file)
{
	char hex[2 * SCHEDULE_SHA_LEN + 1];

	fprintf(f, "%s on-change=%s", file->name,
	    schedule_change_name(file->on_change));
	if (file->has_object)
		fprintf(f, " sha256=%s size=%" PRIu64,
		    segment_dir_hex(hex, file->sha, sizeof(file->sha)),
		    file->size);
	putc('\n', f);
}

char *
schedule_print(const struct schedule *s)
{
	const struct schedule_list *l;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		abort();
	fprintf(
	    f, "monitor %s\n%s", s->monitor, s->nlists == 0 ? "idle\n" : "");
	for (l = s->lists; l < s->lists + s->nlists; l++) {
		fprintf(f, "list %u name=%s weight=%u", l->number, l->name,
		    l->weight);
		if (l->descr[0] != '\0')
			print_word(f, "descr=", l->descr);
		schedule_limits_print(f, &l->limits);
		fprintf(f, " run");
		for (int i = 0; i < l->argc; i++)
			print_word(f, "", l->argv[i]);
		putc('\n', f);
	}
	for (size_t i = 0; i < s->nfiles; i++) {
		fprintf(f, "file %u ", s->files[i].list);
		print_file(f, &s->files[i]);
	}
	for (size_t i = 0; i < s->ncodes; i++) {
		fprintf(f, "code ");
		print_file(f, &s->codes[i]);
	}
	if (fclose(f) != 0)
		abort();
	return text;
}
