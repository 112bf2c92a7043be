#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "common/signed_own.h"

#define PIECE 65536 /* bytes read at once */

/* Hash FD from its beginning, not more than MAX bytes.  The SHA-256 and size
 * read; or -1 with errno. */
static int
hash(int fd, EVP_MD_CTX *ctx, uint64_t max, struct signed_object *o)
{
	static uint8_t buf[PIECE];
	ssize_t n;

	o->size = 0;
	errno = ENOMEM;
	if (ctx == NULL || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		return -1;
	for (;;) {
		n = pread(fd, buf, sizeof(buf), (off_t)o->size);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		o->size += (uint64_t)n;
		if (o->size > max) {
			errno = EFBIG;
			return -1;
		}
		EVP_DigestUpdate(ctx, buf, (size_t)n);
	}
	return n == 0 && EVP_DigestFinal_ex(ctx, o->sha, NULL) ? 0 : -1;
}

static int
measure(int fd, uint64_t max, struct signed_object *o)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int rc = hash(fd, ctx, max, o), saved = errno;

	EVP_MD_CTX_free(ctx);
	errno = saved;
	return rc;
}

int
signed_object_make(int fd, struct signed_object *out)
{
	return measure(fd, SIGNED_OBJECT_MAX, out);
}

int
signed_object_check(
    int fd, const struct signed_object *o, struct signed_fault *f)
{
	struct signed_object got;

	if (measure(fd, o->size, &got) == -1 && errno != EFBIG)
		return signed_fail(f, SIGNED_IO, 0, "%s", strerror(errno));
	if (got.size != o->size)
		return signed_fail(f, SIGNED_SIZE, 0,
		    "has %s%" PRIu64 " bytes, not %" PRIu64,
		    got.size > o->size ? "at least " : "", got.size, o->size);
	if (memcmp(got.sha, o->sha, sizeof(got.sha)) != 0)
		return signed_fail(
		    f, SIGNED_HASH, 0, "is not what its SHA-256 says");
	return 0;
}
