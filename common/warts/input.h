/*
 * warts/input: the plain bytes of a file or pipe; gzip, bzip2 and xz are undone.
 *
 *	fd ──► raw[64 KiB] ──┬── gzip, bzip2, xz ──► unpack.c, member by member
 *	                     └── else ─────────────► as they are
 *
 * What the stream is, is decided once, at its first bytes.  A packed stream that
 * is cut or broken still gives everything in front of the break.
 */
#ifndef COMMON_WARTS_INPUT_H
#define COMMON_WARTS_INPUT_H

#include <stddef.h>
#include <sys/types.h>

struct warts_input;

/* Read from FD, which the input owns and closes.  A non-blocking FD is waited
 * for. */
struct warts_input *warts_input_new(int fd);
void warts_input_free(struct warts_input *in);

/*
 * Up to N (not 0) bytes to BUF.  Returns how many, 0 at the end, or -1 with a
 * reason in *WHY that lives as long as IN; then, and at the end, every later
 * call says the same.
 */
ssize_t
warts_input_read(struct warts_input *in, void *buf, size_t n, const char **why);

#endif
