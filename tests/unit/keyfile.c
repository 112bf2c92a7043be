/*
 * keyfile: a key is made once and read as it was made; what others may have
 * read, or is no such key, is refused with the reason.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/keyfile.h"
#include "tmpdir.h"

#define SOMEBODY 65534

static char top[128];
static int dir;

static int
setup(void **state)
{
	(void)state;
	if (tmpdir_make(top, sizeof(top)) == -1)
		return -1;
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(dir);
	return tmpdir_remove(top);
}

static void
put(const char *name, const void *text, size_t len, mode_t mode)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
is_refused(const char *name, const char *word)
{
	const char *why = NULL;

	assert_null(keyfile_load(dir, name, &why));
	assert_non_null(why);
	if (strstr(why, word) == NULL)
		fail_msg("%s: \"%s\" instead of \"%s\"", name, why, word);
}

static void
test_made_once(void **state)
{
	const char *why = "";
	EVP_PKEY *a, *b, *other;
	struct stat st;

	(void)state;
	assert_int_equal(keyfile_make(dir, "a.key"), 0);
	assert_int_equal(fstatat(dir, "a.key", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	a = keyfile_load(dir, "a.key", &why);
	assert_non_null(a);
	assert_null(why);
	/* The one that is there stays. */
	assert_int_equal(keyfile_make(dir, "a.key"), -1);
	assert_int_equal(errno, EEXIST);
	b = keyfile_load(dir, "a.key", &why);
	assert_int_equal(EVP_PKEY_eq(a, b), 1);
	assert_int_equal(keyfile_make(dir, "b.key"), 0);
	other = keyfile_load(dir, "b.key", &why);
	assert_int_not_equal(EVP_PKEY_eq(a, other), 1);
	EVP_PKEY_free(a);
	EVP_PKEY_free(b);
	EVP_PKEY_free(other);
}

static void
test_modes(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0602, 0610, 0666};
	const char *why;
	EVP_PKEY *key;

	(void)state;
	for (size_t i = 0; i < LEN(modes); i++) {
		assert_int_equal(fchmodat(dir, "a.key", modes[i], 0), 0);
		is_refused("a.key", "read by others");
	}
	assert_int_equal(fchmodat(dir, "a.key", 0400, 0), 0);
	key = keyfile_load(dir, "a.key", &why);
	assert_non_null(key);
	EVP_PKEY_free(key);
}

/* Only root can give a file away: of it the rest is tried. */
static void
test_owner(void **state)
{
	const char *why;
	EVP_PKEY *key;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(fchownat(dir, "b.key", SOMEBODY, SOMEBODY, 0), 0);
	is_refused("b.key", "another user");
	/* To him it is his. */
	assert_int_equal(chmod(top, 0755), 0);
	assert_int_equal(seteuid(SOMEBODY), 0);
	key = keyfile_load(dir, "b.key", &why);
	assert_int_equal(seteuid(0), 0);
	assert_non_null(key);
	EVP_PKEY_free(key);
}

/* The PEM of a key of another kind; or of ours, under a passphrase. */
static size_t
pem(const char *type, const char *pass, char *buf, size_t size)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, type);
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key,
			     pass == NULL ? NULL : EVP_aes_256_cbc(), pass,
			     pass == NULL ? 0 : (int)strlen(pass), NULL, NULL),
	    1);
	n = BIO_read(bio, buf, (int)size);
	assert_true(n > 0 && (size_t)n < size);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return (size_t)n;
}

static void
test_not_keys(void **state)
{
	char text[5000];
	size_t len;

	(void)state;
	is_refused("none", "No such file");
	is_refused(".", "not a file");
	put("junk", "junk\n", 5, 0600);
	is_refused("junk", "Ed25519");
	put("empty", "", 0, 0600);
	is_refused("empty", "Ed25519");
	len = pem("X25519", NULL, text, sizeof(text));
	put("x25519", text, len, 0600);
	is_refused("x25519", "Ed25519");
	len = pem("ED25519", "secret", text, sizeof(text));
	put("locked", text, len, 0600);
	is_refused("locked", "without a passphrase");
	memset(text, '\n', sizeof(text));
	put("long", text, sizeof(text), 0600);
	is_refused("long", "too large");
	/* Nobody waits for a writer. */
	assert_int_equal(mkfifoat(dir, "pipe", 0600), 0);
	is_refused("pipe", "not a file");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made_once),
	    cmocka_unit_test(test_modes),
	    cmocka_unit_test(test_owner),
	    cmocka_unit_test(test_not_keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
