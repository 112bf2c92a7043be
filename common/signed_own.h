/*
 * signed_own: what the files of signed.h share and nobody else sees.
 */
#ifndef COMMON_SIGNED_OWN_H
#define COMMON_SIGNED_OWN_H

#include "common/conf.h"
#include "common/signed.h"

/* Set F.  Always -1. */
int signed_fail(struct signed_fault *f, enum signed_code code, int line,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A conf_error_cb whose ARG is a struct signed_fault with code SIGNED_OK: keeps
 * the first error. */
void
signed_conf_error(void *arg, const char *file, int line, const char *reason);

/* Read BODY through TABLE.  0, or -1 with the first error in F. */
int signed_body(const char *body, const struct conf_key *table, void *ctx,
    struct signed_fault *f);

/* Non-zero when WORD may be passed over: it begins with x-. */
int signed_optional(const char *word);

#endif
