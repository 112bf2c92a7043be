#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "common/atomicfile.h"
#include "common/xmalloc.h"

#define KEY_FILE_MAX 4096 /* bytes */
#define SIGNATURE_LEN 64

struct keys_key {
	EVP_PKEY *pkey;
	struct signed_key pub;
};

static const char *
read_key_file(int dir, const char *name, char **text, size_t *len)
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
		why = "can be read by others: chmod 600 it";
	else if (atomicfile_read_fd(fd, KEY_FILE_MAX, text, len) == -1)
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

struct keys_key *
keys_load(int dir, const char *name, const char **why)
{
	size_t publen = SIGNED_KEY_LEN, len = 0;
	struct keys_key *k;
	char *text = NULL;
	BIO *bio;

	*why = read_key_file(dir, name, &text, &len);
	if (*why != NULL)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	bio = BIO_new_mem_buf(text, (int)len);
	k->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	OPENSSL_cleanse(text, len);
	free(text);
	if (k->pkey != NULL &&
	    EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_ED25519 &&
	    EVP_PKEY_get_raw_public_key(k->pkey, k->pub.pub, &publen))
		return k;
	ERR_clear_error();
	keys_free(k);
	*why = "is not an Ed25519 key in PEM without a passphrase";
	return NULL;
}

struct keys_key *
keys_role(int dir, const char *role, const char **why)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.key", role);
	if (faccessat(dir, name, F_OK, 0) == -1 && errno == ENOENT &&
	    faccessat(dir, "all.key", F_OK, 0) == 0)
		return keys_load(dir, "all.key", why);
	return keys_load(dir, name, why);
}

void
keys_free(struct keys_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

const struct signed_key *
keys_public(const struct keys_key *k)
{
	return &k->pub;
}

int
keys_make(int dir, const char *name)
{
	EVP_PKEY *pkey;
	BIO *bio;
	char *text;
	long len;
	int rc = -1;

	errno = EEXIST;
	if (faccessat(dir, name, F_OK, 0) == 0 || errno != ENOENT)
		return -1;
	pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	bio = BIO_new(BIO_s_mem());
	errno = ENOMEM;
	if (pkey != NULL && bio != NULL &&
	    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)) {
		len = BIO_get_mem_data(bio, &text);
		rc = atomicfile_write(dir, name, text, (size_t)len, 0600);
	}
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return rc;
}

char *
keys_sign(const struct keys_key *k, const char *text)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char base64[SIGNATURE_LEN * 2], key[SIGNED_KEY_STRLEN];
	uint8_t signature[SIGNATURE_LEN];
	size_t len = sizeof(signature);

	/* Ed25519 fails for want of memory only. */
	if (ctx == NULL ||
	    !EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) ||
	    !EVP_DigestSign(
		ctx, signature, &len, (const uint8_t *)text, strlen(text)))
		abort();
	EVP_MD_CTX_free(ctx);
	EVP_EncodeBlock((uint8_t *)base64, signature, SIGNATURE_LEN);
	return xasprintf(
	    "%ssignature %s %s\n", text, signed_key_str(&k->pub, key), base64);
}
