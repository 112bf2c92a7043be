#include "common/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "common/atomicfile.h"

#define BYTES_MAX 4096

/* The text of a file that only we can read. */
static const char *
read_text(int dir, const char *name, char **text, size_t *len)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *why = NULL;
	struct stat st;

	if (fd == -1)
		return strerror(errno);
	if (fstat(fd, &st) == -1)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "is not a file";
	else if ((st.st_mode & 077) != 0)
		why = "can be read by others: chmod 600 it, and make a new key "
		      "if somebody may have read it";
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		why = "belongs to another user";
	else if (atomicfile_read_fd(fd, BYTES_MAX, text, len) == -1)
		why = strerror(errno);
	close(fd);
	return why;
}

static int
no_passphrase(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

EVP_PKEY *
keyfile_load(int dir, const char *name, const char **why)
{
	char *text = NULL;
	size_t len = 0;
	EVP_PKEY *key;
	BIO *bio;

	*why = read_text(dir, name, &text, &len);
	if (*why != NULL)
		return NULL;
	bio = BIO_new_mem_buf(text, (int)len);
	key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	OPENSSL_cleanse(text, len);
	free(text);
	ERR_clear_error();
	if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519)
		return key;
	EVP_PKEY_free(key);
	*why = "is not an Ed25519 key in PEM without a passphrase";
	return NULL;
}

int
keyfile_make(int dir, const char *name)
{
	int there = atomicfile_exists(dir, name), rc = -1;
	EVP_PKEY *key;
	char *text;
	long len;
	BIO *bio;

	if (there != 0) {
		errno = there == 1 ? EEXIST : errno;
		return -1;
	}
	key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bio = BIO_new(BIO_s_secmem());
	errno = ENOMEM;
	if (key != NULL && bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) {
		len = BIO_get_mem_data(bio, &text);
		rc = atomicfile_write(dir, name, text, (size_t)len, 0600);
	}
	BIO_free(bio);
	EVP_PKEY_free(key);
	return rc;
}
