/*
 * keyfile: a private key of ours in a file: those that hosts speak TLS with
 * (tls) and those that texts are signed with (ctlpublish) are made and read
 * alike.
 *
 *	NAME	an Ed25519 private key, PEM (PKCS #8), without a passphrase,
 *		mode 600
 *
 * A key that others may have read is none: a file that its group or others have
 * any right to is refused, and so is one that neither we nor root own: whoever
 * owns it can have it read.  What was made is durable before its public half is
 * known to anybody.
 */
#ifndef COMMON_KEYFILE_H
#define COMMON_KEYFILE_H

#include <openssl/evp.h>

/* The key in the file NAME of the open directory DIR (or AT_FDCWD), for
 * EVP_PKEY_free().  NULL with a reason in *WHY (good until the next call). */
EVP_PKEY *keyfile_load(int dir, const char *name, const char **why);

/* Make the file NAME with a new key.  0, or -1 with errno (EEXIST: there is one,
 * which stays). */
int keyfile_make(int dir, const char *name);

#endif
