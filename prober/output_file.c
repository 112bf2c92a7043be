/*
 * output_file: records to a file or standard output as text, JSON lines or
 * warts, as scamper writes them.
 *
 * Bytes are gathered and written a block at a time, and at every tick.  When
 * the disk is full a file is cut back to its last whole record, so that what
 * is there stays readable, and writing is tried again at every tick.  A pipe
 * whose reader is slow is written as it takes bytes; meanwhile probing goes on
 * until UNWRITTEN_MAX bytes wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/warts/reader.h"
#include "common/xmalloc.h"
#include "prober/output.h"

#define BLOCK_BYTES (64 * 1024)
#define UNWRITTEN_MAX (1024 * 1024) /* no more records beyond this */
#define PATIENCE_NS (100 * NS_PER_MS) /* per tick, with a slow reader */
#define HURRY_NS (500 * NS_PER_MS) /* at the end, when told to stop */

struct file {
	struct output o;
	const char *path;
	int fd;
	struct output_form form;
	int regular, terminal, failing;
	struct wbuf buf; /* not yet written */
	/* NULL, or from `buf' it goes into `packed'. */
	void (*pack)(struct wbuf *out, const uint8_t *p, size_t len);
	struct wbuf packed;
	off_t good_bytes; /* of whole records, in a regular file */
};

/* What is to be written next. */
static struct wbuf *
outgoing(struct file *f)
{
	if (f->pack == NULL)
		return &f->buf;
	if (f->packed.len == 0 && f->buf.len > 0) {
		f->pack(&f->packed, f->buf.p, f->buf.len);
		wbuf_reset(&f->buf);
	}
	return &f->packed;
}

/* What is gathered begins with DONE bytes that are written: forget them. */
static void
forget(struct wbuf *b, size_t done)
{
	if (b->len > done)
		memmove(b->p, b->p + done, b->len - done);
	b->len -= done;
}

/* Milliseconds from now to DUE_NS, as poll(2) wants them. */
static int
ms_until(int64_t due_ns)
{
	int64_t left_ns = due_ns - clock_mono_ns();

	if (due_ns == INT64_MAX)
		return -1;
	return left_ns > 0 ? (int)(left_ns / NS_PER_MS) : 0;
}

/* Write what a pipe or terminal takes until DUE_NS (0: now, INT64_MAX: all).
 * PIPE_BUF bytes never block where poll says so; a reader that does not read
 * must not stop the probing.  0, or -1 when some of it stays. */
static int
flush_pipe(struct file *f, int64_t due_ns)
{
	struct pollfd pfd = {.fd = f->fd, .events = POLLOUT};
	struct wbuf *b = outgoing(f);
	size_t done = 0, len;
	ssize_t n;

	while (done < b->len && poll(&pfd, 1, ms_until(due_ns)) == 1) {
		len = b->len - done;
		n = write(f->fd, b->p + done, len < PIPE_BUF ? len : PIPE_BUF);
		if (n == -1 && errno != EINTR && errno != EAGAIN)
			log_fatal(
			    EXIT_TEMPORARY, "%s: %s", f->path, strerror(errno));
		if (n > 0)
			done += (size_t)n;
	}
	forget(b, done);
	errno = EAGAIN;
	return b->len > 0 || f->buf.len > 0 ? -1 : 0;
}

/* Write all that is gathered to a file.  0, or -1 when the disk is full: then
 * the file ends with the last whole record before. */
static int
flush_regular(struct file *f)
{
	struct wbuf *b = outgoing(f);
	size_t done = 0;
	ssize_t n;

	while (done < b->len) {
		n = write(f->fd, b->p + done, b->len - done);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			break;
		done += (size_t)n;
	}
	if (done == b->len) {
		if (f->failing)
			log_warn("%s: writing again", f->path);
		f->good_bytes += (off_t)done;
		f->failing = 0;
		wbuf_reset(b);
		return 0;
	}
	if (errno != ENOSPC && errno != EDQUOT)
		log_fatal(EXIT_TEMPORARY, "%s: %s", f->path, strerror(errno));
	if (!f->failing)
		log_warn("%s: %s: waiting for room", f->path, strerror(errno));
	f->failing = 1;
	if (ftruncate(f->fd, f->good_bytes) == -1 ||
	    lseek(f->fd, f->good_bytes, SEEK_SET) == -1)
		log_fatal(EXIT_TEMPORARY, "%s: %s", f->path, strerror(errno));
	errno = ENOSPC;
	return -1;
}

static int
flush(struct file *f, int64_t due_ns)
{
	return f->regular ? flush_regular(f) : flush_pipe(f, due_ns);
}

static void
flush_if_due(struct file *f)
{
	if (f->terminal || (f->buf.len >= BLOCK_BYTES && !f->failing))
		flush(f, 0);
}

static int
file_cycle_begin(struct output *o, const struct output_cycle *c)
{
	struct file *f = (struct file *)o;

	return output_form_begin(&f->form, c, o->hostname, &f->buf);
}

static void
file_cycle_end(struct output *o, int handle, uint32_t stop)
{
	struct file *f = (struct file *)o;

	output_form_end(&f->form, handle, stop, &f->buf);
	flush_if_due(f);
}

static int
file_record(struct output *o, int handle, struct technique_record *rec)
{
	struct file *f = (struct file *)o;

	if (f->buf.len >= UNWRITTEN_MAX)
		return -1;
	output_form_record(&f->form, handle, rec, &f->buf);
	flush_if_due(f);
	return 0;
}

static int
file_tick(struct output *o, int64_t now_ns)
{
	struct file *f = (struct file *)o;

	(void)now_ns;
	/* A slow reader is no reason to pause before much is unread. */
	return flush(f, 0) == -1 && (f->regular || f->buf.len >= UNWRITTEN_MAX);
}

static int
file_rotate(struct output *o, int64_t now_ns)
{
	(void)now_ns;
	flush((struct file *)o, 0);
	return 0;
}

static int
file_close(struct output *o, int64_t now_ns, int hurry)
{
	struct file *f = (struct file *)o;
	int64_t until_ns = hurry ? now_ns + HURRY_NS : INT64_MAX;
	int rc = flush(f, until_ns);

	/* What was packed before is out of the way: the rest. */
	if (rc == 0 || (f->packed.len == 0 && f->buf.len > 0))
		rc = flush(f, until_ns);
	if (rc == -1)
		log_warn("%s: %zu bytes of records are not written", f->path,
		    f->buf.len + f->packed.len);
	output_form_clear(&f->form);
	wbuf_clear(&f->buf);
	wbuf_clear(&f->packed);
	if (f->fd != STDOUT_FILENO && close(f->fd) == -1)
		rc = -1;
	free(f);
	return rc;
}

static const struct output_ops file_ops = {
    .cycle_begin = file_cycle_begin,
    .cycle_end = file_cycle_end,
    .record = file_record,
    .tick = file_tick,
    .rotate = file_rotate,
    .close = file_close,
};

/* "x.SUFFIX" */
static int
ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m + 1 && s[n - m - 1] == '.' &&
	    strcmp(s + n - m, suffix) == 0;
}

static const struct {
	const char *word; /* and, with a dot in front, the end of a name */
	enum output_kind kind;
	void (*pack)(struct wbuf *out, const uint8_t *p, size_t len);
} formats[] = {
    {"text", OUTPUT_TEXT, NULL},
    {"json", OUTPUT_JSON, NULL},
    {"warts", OUTPUT_WARTS, NULL},
    {"warts.gz", OUTPUT_WARTS, output_gz_member},
    {"warts.bz2", OUTPUT_WARTS, output_bz2_member},
    {"warts.xz", OUTPUT_WARTS, output_xz_member},
};

#define NFORMATS (sizeof(formats) / sizeof(formats[0]))

int
output_is_format(const char *word)
{
	for (size_t i = 0; i < NFORMATS; i++) {
		if (strcasecmp(formats[i].word, word) == 0)
			return 1;
	}
	return 0;
}

/* The format that is called WORD, or if that is NULL the one that PATH ends with.
 * Was there one? */
static int
take_format(struct file *f, const char *word, const char *path)
{
	int fits;

	for (size_t i = 0; i < NFORMATS; i++) {
		fits = word != NULL ? strcasecmp(word, formats[i].word) == 0
				    : ends_with(path, formats[i].word);
		if (!fits)
			continue;
		f->form.kind = formats[i].kind;
		f->pack = formats[i].pack;
		return 1;
	}
	return 0;
}

/* What CFG says, or the name of its file; else what it says for that; text. */
static void
choose_format(struct file *f, const struct output_config *cfg)
{
	if (!take_format(f, cfg->format, cfg->path) && cfg->otherwise != NULL)
		take_format(f, cfg->otherwise, cfg->path);
}

static void
note_id(struct file *f, const struct warts_record *r)
{
	uint32_t *max, id;

	if (r->len < 4)
		return;
	id = (uint32_t)r->body[0] << 24 | (uint32_t)r->body[1] << 16 |
	    (uint32_t)r->body[2] << 8 | r->body[3];
	if (r->type == WARTS_LIST)
		max = &f->form.lists_before;
	else if (r->type == WARTS_CYCLE_START || r->type == WARTS_CYCLE_DEF)
		max = &f->form.cycles_before;
	else
		return;
	if (*max < id)
		*max = id;
}

/* Warts are appended to PATH: what is in it has ids of lists and cycles, which
 * must not come again.  0, or -1 and errno when that is no whole warts. */
static int
read_ids(struct file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct warts_reader *rd;
	struct warts_record r;
	enum warts_read got;
	const char *why;

	if (fd == -1)
		return -1;
	rd = warts_reader_new(fd);
	while ((got = warts_reader_next(rd, &r, &why)) == WARTS_READ_RECORD)
		note_id(f, &r);
	warts_reader_free(rd);
	errno = EINVAL;
	return got == WARTS_READ_EOF ? 0 : -1;
}

static int
open_file(const struct output_config *cfg)
{
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC;

	if (strcmp(cfg->path, "-") == 0)
		return STDOUT_FILENO;
	return open(
	    cfg->path, flags | (cfg->append ? O_APPEND : O_TRUNC), 0644);
}

struct output *
output_file_try(const struct output_config *cfg)
{
	int fd = open_file(cfg);
	struct file *f;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return NULL;
	f = xcalloc(1, sizeof(*f));
	f->o.ops = &file_ops;
	f->path = fd == STDOUT_FILENO ? "standard output" : cfg->path;
	f->form.monitor = cfg->monitor;
	f->form.generation = cfg->generation != 0
	    ? (enum show_generation)cfg->generation
	    : SHOW_2026;
	choose_format(f, cfg);
	f->fd = fd;
	f->regular = S_ISREG(st.st_mode);
	if (f->regular && cfg->append && f->form.kind == OUTPUT_WARTS &&
	    read_ids(f, cfg->path) == -1) {
		close(fd);
		free(f);
		return NULL;
	}
	/* Of a file that was there before, only our part is ours to cut. */
	if (f->regular && (fd == STDOUT_FILENO || cfg->append))
		f->good_bytes = fcntl(fd, F_GETFL) & O_APPEND
		    ? st.st_size
		    : lseek(fd, 0, SEEK_CUR);
	f->terminal = isatty(fd);
	wbuf_init(&f->buf);
	wbuf_init(&f->packed);
	return &f->o;
}

struct output *
output_file_open(const struct output_config *cfg)
{
	struct output *o = output_file_try(cfg);
	struct file *f = (struct file *)o;

	if (o == NULL)
		log_fatal(255, "%s: %s", cfg->path, strerror(errno));
	if (f->terminal && f->form.kind == OUTPUT_WARTS)
		log_fatal(255, "not writing warts to a terminal: use -o FILE");
	return o;
}
