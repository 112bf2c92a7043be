/*
 * Fuzz target (libFuzzer): any bytes as a warts file.  They are read, shown in
 * every format, counted, renumbered; and a measurement that decodes must encode to
 * something that decodes to the same bytes again.
 */
#include <sys/mman.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/show/show.h"
#include "common/show/summary.h"
#include "common/warts/any.h"
#include "common/warts/codec.h"
#include "common/warts/reader.h"
#include "common/warts/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
check_again(const struct warts_record *rec)
{
	struct warts_record other = {.type = rec->type};
	struct warts_any any;
	struct wbuf a, b;
	const char *why;

	if (warts_codec(rec->type) == NULL ||
	    warts_decode(rec, &any, &why) == -1)
		return;
	wbuf_init(&a);
	wbuf_init(&b);
	warts_encode(&a, rec->type, &any);
	warts_clear(rec->type, &any);
	other.body = a.p + WARTS_HEADER_LEN;
	other.len = (uint32_t)(a.len - WARTS_HEADER_LEN);
	if (warts_decode(&other, &any, &why) == -1)
		abort();
	warts_encode(&b, rec->type, &any);
	warts_clear(rec->type, &any);
	if (a.len != b.len || memcmp(a.p, b.p, a.len) != 0)
		abort();
	wbuf_clear(&a);
	wbuf_clear(&b);
}

static void
check_ids(const struct warts_record *rec, struct wbuf *b)
{
	struct warts_record other;
	uint32_t list, cycle;
	struct warts_tv tv;
	const char *why;

	warts_start_time(rec, &tv, &why);
	if (warts_renumber(b, rec, 5, 6, &why) == -1)
		return;
	other = (struct warts_record){rec->type,
	    (uint32_t)(b->len - WARTS_HEADER_LEN), b->p + WARTS_HEADER_LEN, 0};
	if (warts_ids(&other, &list, &cycle, &why) == -1 || list != 5 ||
	    cycle != 6)
		abort();
}

/* Read FD in FORMAT; in SUM too if that is not NULL. */
static void
view(int fd, enum show_format format, struct summary *sum)
{
	struct show show = {.format = format, .generation = SHOW_2026};
	struct warts_reader *rd = warts_reader_new(fd);
	struct warts_record rec;
	enum warts_read rc;
	const char *why;
	struct wbuf out;

	wbuf_init(&out);
	while ((rc = warts_reader_next(rd, &rec, &why)) != WARTS_READ_EOF) {
		if (rc != WARTS_READ_RECORD)
			continue;
		check_again(&rec);
		wbuf_reset(&out);
		check_ids(&rec, &out);
		wbuf_reset(&out);
		if (show_record(&show, &out, &rec, &why) == SHOW_DAMAGED)
			warts_reader_doubt(rd);
		if (sum != NULL)
			summary_record(sum, &show.state, &rec, &why);
	}
	warts_reader_free(rd);
	warts_state_clear(&show.state);
	wbuf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct summary *sum = summary_new();
	struct wbuf out;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd == -1 || write(fd, data, len) != (ssize_t)len)
		abort();
	lseek(fd, 0, SEEK_SET);
	view(dup(fd), SHOW_TEXT, sum);
	lseek(fd, 0, SEEK_SET);
	view(fd, SHOW_JSON, NULL);
	wbuf_init(&out);
	summary_print(sum, &out);
	wbuf_clear(&out);
	summary_free(sum);
	return 0;
}
