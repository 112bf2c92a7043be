/*
 * wartsview: print any warts file (wartsview(1)).
 *
 *	file or stdin ─► reader ─► show │ summary ─► buffer ─► stdout
 *	the archive's state ─► account ──────────────┘
 *
 * Damage is a line on standard error and an exit status, never an end: what
 * can still be read is printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"
#include "common/show/show.h"
#include "common/show/summary.h"
#include "common/warts/reader.h"
#include "common/xmalloc.h"
#include "datasort/datasort.h"

#define EXIT_DAMAGED 1
#define FLUSH_BYTES 65536

struct view {
	struct show show; /* format, generation, state of the file */
	struct summary *summary; /* NULL unless that is asked for */
	struct wbuf out;
	int live; /* write each record at once */
	int damaged; /* something in some file was */
	const char *file;
	struct show_types skipped; /* of this file */
	int account; /* of a cycle is asked for, no file */
	const char *dir; /* of the central host */
};

/* Write out what is there.  A reader that went away is no error of ours. */
static void
flush(struct view *v)
{
	size_t done = 0;
	ssize_t n;

	while (done < v->out.len) {
		n = write(STDOUT_FILENO, v->out.p + done, v->out.len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno == EPIPE)
			exit(v->damaged ? EXIT_DAMAGED : EXIT_DONE);
		else if (errno != EINTR && errno != EAGAIN)
			log_fatal(EXIT_DAMAGED, "standard output: %s",
			    strerror(errno));
	}
	wbuf_reset(&v->out);
}

/* REC makes no sense, or (no type) was skipped by the reader. */
static void
damage(struct view *v, const struct warts_record *rec, const char *why)
{
	const char *type = show_type_name(rec->type);

	v->damaged = 1;
	if (type != NULL)
		log_warn("%s: offset %ju: %s record: %s", v->file,
		    (uintmax_t)rec->offset, type, why);
	else
		log_warn("%s: offset %ju: %s, %u bytes skipped", v->file,
		    (uintmax_t)rec->offset, why, rec->len);
	if (v->summary != NULL)
		summary_damage(v->summary, type == NULL ? rec->len : 0);
}

/* Count REC.  Returns -1 when it is damaged, with *WHY. */
static int
count(struct view *v, const struct warts_record *rec, const char **why)
{
	int ok = warts_state_feed(&v->show.state, rec, why) == 0;

	if (summary_record(v->summary, &v->show.state, rec, why) == -1)
		ok = 0;
	return ok ? 0 : -1;
}

static void
record(struct view *v, struct warts_reader *rd, const struct warts_record *rec)
{
	const char *why = NULL;

	if (v->summary != NULL) {
		if (count(v, rec, &why) == -1) {
			damage(v, rec, why);
			warts_reader_doubt(rd);
		}
		return;
	}
	switch (show_record(&v->show, &v->out, rec, &why)) {
	case SHOW_DONE:
		break;
	case SHOW_SKIPPED:
		show_types_add(&v->skipped, rec->type);
		break;
	case SHOW_DAMAGED:
		damage(v, rec, why);
		warts_reader_doubt(rd);
		break;
	}
	if (v->live || v->out.len >= FLUSH_BYTES)
		flush(v);
}

/* One line for all records of the file that were not shown. */
static void
note_skipped(struct view *v)
{
	struct wbuf note;

	if (show_types_sum(&v->skipped) == 0)
		return;
	wbuf_init(&note);
	show_types_print(&v->skipped, &note);
	log_warn("%s: records not shown: %.*s", v->file, (int)note.len,
	    (const char *)note.p);
	wbuf_clear(&note);
	memset(&v->skipped, 0, sizeof(v->skipped));
}

static void
read_records(struct view *v, struct warts_reader *rd)
{
	struct warts_record rec;
	const char *why;

	for (;;) {
		switch (warts_reader_next(rd, &rec, &why)) {
		case WARTS_READ_RECORD:
			record(v, rd, &rec);
			break;
		case WARTS_READ_DAMAGE:
			damage(v, &rec, why);
			break;
		case WARTS_READ_ERROR:
			log_warn("%s: %s", v->file, why);
			v->damaged = 1;
			return;
		case WARTS_READ_EOF:
			return;
		}
	}
}

static void
view_file(struct view *v, const char *file)
{
	int is_stdin = strcmp(file, "-") == 0, fd;
	struct warts_reader *rd;

	v->file = is_stdin ? "standard input" : file;
	fd = is_stdin ? dup(STDIN_FILENO) : open(file, O_RDONLY | O_CLOEXEC);
	if (fd == -1) {
		log_warn("%s: %s", v->file, strerror(errno));
		v->damaged = 1;
		return;
	}
	v->live = is_stdin;
	if (v->summary != NULL)
		summary_file(v->summary);
	rd = warts_reader_new(fd);
	read_records(v, rd);
	warts_reader_free(rd);
	warts_state_clear(&v->show.state);
	flush(v);
	note_skipped(v);
}

static const char *
set_format(void *ctx, const char *arg)
{
	struct view *v = ctx;

	if (strcmp(arg, "text") == 0)
		v->show.format = SHOW_TEXT;
	else if (strcmp(arg, "json") == 0)
		v->show.format = SHOW_JSON;
	else if (strcmp(arg, "summary") == 0 && v->summary == NULL)
		v->summary = summary_new();
	else if (strcmp(arg, "summary") != 0)
		return "is not text, json or summary";
	return NULL;
}

static const char *
set_generation(void *ctx, const char *arg)
{
	struct view *v = ctx;

	if (strcmp(arg, "2021") == 0)
		v->show.generation = SHOW_2021;
	else if (strcmp(arg, "2026") == 0)
		v->show.generation = SHOW_2026;
	else
		return "is not 2021 or 2026";
	return NULL;
}

static const char *
set_account(void *ctx, const char *arg)
{
	(void)arg;
	((struct view *)ctx)->account = 1;
	return NULL;
}

static const char *
set_dir(void *ctx, const char *arg)
{
	((struct view *)ctx)->dir = arg;
	return NULL;
}

static const struct prog_opt table[] = {
    {'t', NULL, "FORMAT", "text, json, or summary (text)", set_format},
    {'g', NULL, "YEAR", "as the scamper of 2021 or of 2026 (2026)",
	set_generation},
    {0, "account", NULL, "what became of the addresses of LIST CYCLE",
	set_account},
    {'d', NULL, "DIR", "the central host's directory, for --account (.)",
	set_dir},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "wartsview",
    .synopsis = "[-t text|json|summary] [-g 2021|2026] [FILE ...]"
		" | --account LIST CYCLE [-d DIR]",
    .purpose = "Print warts files.",
    .exit_code = EXIT_PERMANENT,
};

/* What became of the addresses of the cycle that WORDS name. */
static int
view_account(struct view *v, char **words, int nwords)
{
	int root = open(v->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	uint32_t list, cycle;
	const char *why;

	if (nwords != 2 || scan_u32(words[0], 0, UINT32_MAX, &list) == -1 ||
	    scan_u32(words[1], 0, UINT32_MAX, &cycle) == -1)
		log_fatal(EXIT_PERMANENT,
		    "--account needs the numbers of a list and a cycle");
	if (root == -1)
		log_fatal(EXIT_DAMAGED, "%s: %s", v->dir, strerror(errno));
	rc = account_print(root, list, cycle, &v->out, &why);
	close(root);
	if (rc == -1)
		log_fatal(EXIT_DAMAGED, "%s: list %s cycle %s: %s", v->dir,
		    words[0], words[1], why);
	flush(v);
	return rc == 0 ? EXIT_DONE : EXIT_DAMAGED;
}

int
main(int argc, char **argv)
{
	struct view *v = xcalloc(1, sizeof(*v));
	int first, rc;

	log_init("wartsview", 0, 0);
	signal(SIGPIPE, SIG_IGN);
	wbuf_init(&v->out);
	v->show.generation = SHOW_2026;
	v->dir = ".";
	first = prog_options(&usage, table, argc, argv, v);
	if (v->account)
		return view_account(v, argv + first, argc - first);
	if (first == argc)
		view_file(v, "-");
	for (int i = first; i < argc; i++)
		view_file(v, argv[i]);
	if (v->summary != NULL)
		summary_print(v->summary, &v->out);
	flush(v);
	rc = v->damaged ? EXIT_DAMAGED : EXIT_DONE;
	summary_free(v->summary);
	wbuf_clear(&v->out);
	free(v);
	return rc;
}
