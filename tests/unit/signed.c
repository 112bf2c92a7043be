/*
 * Signed texts: what is taken, what damage does, and what a monitor remembers.
 * tests/unit/signed_bad.c has the hostile ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "test.h"

#include "common/signed.h"
#include "common/xmalloc.h"
#include "signed_text.h"
#include "tmpdir.h"

/* --- damage ------------------------------------------------------------------ */

static enum signed_code
take_bytes(struct held *h, const char *text, size_t len)
{
	struct signed_text t = {text, len};
	struct signed_assign a;

	if (signed_take_assign(&h->tr, &t, &a, &h->f) == -1)
		return h->f.code;
	signed_assign_clear(&a);
	return SIGNED_OK;
}

static void
test_damage(void **state)
{
	struct signed_text t = signed_text_make(HEAD18 A_BODY, 'A');
	char *copy = xmalloc(t.len + 1);
	enum signed_code code;
	struct held h;

	(void)state;
	hold(&h);
	/* Cut off behind every byte, and so behind every line. */
	for (size_t n = 0; n < t.len; n++) {
		memcpy(copy, t.text, n);
		code = take_bytes(&h, copy, n);
		if (code != SIGNED_TRUNCATED)
			fail_msg("%zu bytes: %s", n, h.f.text);
	}
	/* Every bit turned over. */
	for (size_t i = 0; i < 8 * t.len; i++) {
		memcpy(copy, t.text, t.len);
		copy[i / 8] ^= (char)(1 << i % 8);
		assert_int_not_equal(take_bytes(&h, copy, t.len), SIGNED_OK);
	}
	/* A second text behind it, or bytes. */
	copy = xreallocarray(copy, 2, t.len);
	memcpy(copy, t.text, t.len);
	memcpy(copy + t.len, t.text, t.len);
	assert_int_equal(take_bytes(&h, copy, 2 * t.len), SIGNED_SIGNATURE);
	assert_int_equal(take_bytes(&h, copy, t.len), SIGNED_OK);
	free(copy);
	free((char *)t.text);
	signed_trust_clear(&h.tr);
}

static void
test_size(void **state)
{
	char *text = xmalloc(SIGNED_TEXT_MAX + 2);
	size_t head = strlen(HEAD18 A_BODY);
	struct signed_text t;
	struct held h;

	(void)state;
	hold(&h);
	memset(text, '#', SIGNED_TEXT_MAX + 1);
	memcpy(text, HEAD18 A_BODY, head);
	for (size_t i = head + 99; i <= SIGNED_TEXT_MAX; i += 100)
		text[i] = '\n';
	text[SIGNED_TEXT_MAX] = '\n';
	text[SIGNED_TEXT_MAX + 1] = '\0';
	assert_int_equal(
	    take_bytes(&h, text, SIGNED_TEXT_MAX + 1), SIGNED_OVERSIZED);
	/* The largest that there may be, signature and all. */
	text[SIGNED_TEXT_MAX - SIGNED_TEXT_SIGNATURE_LEN] = '\0';
	text[SIGNED_TEXT_MAX - SIGNED_TEXT_SIGNATURE_LEN - 1] = '\n';
	t = signed_text_make(text, 'A');
	assert_int_equal(t.len, SIGNED_TEXT_MAX);
	assert_int_equal(take_bytes(&h, t.text, t.len), SIGNED_OK);
	free((char *)t.text);
	free(text);
	signed_trust_clear(&h.tr);
}

/* --- what is taken ----------------------------------------------------------- */

static void
test_release(void **state)
{
	uint8_t sha[SIGNED_SHA_LEN];
	struct held h;

	(void)state;
	hold(&h);
	assert_int_equal(h.tr.release.version, 5);
	assert_int_equal(h.tr.release.ncode, 2);
	memcpy(sha, h.tr.release.code[1].sha, sizeof(sha));
	assert_int_equal(
	    signed_release_code(&h.tr.release, "gen", sha)->size, 200);
	assert_null(signed_release_code(&h.tr.release, "ge", sha));
	assert_false(signed_release_withdrawn(&h.tr.release, sha));
	sha[0] = 0xdd;
	assert_true(signed_release_withdrawn(&h.tr.release, sha));
	assert_int_equal(signed_release_caps(&h.tr.release, "x")->rate, 100);
	assert_int_equal(signed_release_caps(&h.tr.release, "x")->deadman_ns,
	    7 * 86400 * 1000000000LL);
	assert_int_equal(signed_release_caps(&h.tr.release, "big")->rate, 500);
	assert_int_equal(
	    signed_release_caps(&h.tr.release, "big")->deadman_ns, 0);
	assert_int_equal(h.tr.release.ndnp, 2);
	assert_true(h.tr.stop.stopped);
	assert_string_equal(h.tr.stop.reason, "a complaint");
	/* What may be passed over, and a text that is there already. */
	assert_int_equal(take(&h, SIGNED_RELEASE, RELEASE, 'L'), SIGNED_OK);
	assert_int_equal(take(&h, SIGNED_RELEASE,
			     "signed release 6 expires=1790000000 x-a=1\n"
			     "# a comment\n x-b \"an open quote\n"
			     "x-c\ninstalled g\n\ncaps * rate=3 x-d=4\n",
			     'L'),
	    SIGNED_OK);
	assert_int_equal(h.tr.release.ninstalled, 1);
	assert_int_equal(signed_release_caps(&h.tr.release, "x")->rate, 3);
	signed_trust_clear(&h.tr);
}

/* The line of a fault is the line of the text. */
static void
test_line(void **state)
{
	struct held h;

	(void)state;
	hold(&h);
	take(&h, SIGNED_ASSIGN, HEAD18 "x-a\n" A_BODY "what\n", 'A');
	assert_int_equal(h.f.line, 8);
	take(&h, SIGNED_ASSIGN, HEAD18 A_LISTS A_FILES, 'A');
	assert_int_equal(h.f.line, 4);
	signed_trust_clear(&h.tr);
}

static void
test_roots(void **state)
{
	static const char second[] = "signed root 2 expires=1800000000\n"
				     "key root @N\nkey release @X\n"
				     "key assign @A\nnext @N\n";
	struct held h;

	(void)state;
	hold(&h);
	/* The stolen release key had used up the versions. */
	assert_int_equal(
	    take(&h, SIGNED_RELEASE,
		"signed release 9223372036854775807 expires=1790000000\n", 'L'),
	    SIGNED_OK);
	assert_int_equal(take(&h, SIGNED_ROOT, second, 'N'), SIGNED_OK);
	assert_int_equal(h.tr.release.version, 0);
	assert_true(h.tr.stop.stopped);
	assert_int_equal(h.tr.seen[SIGNED_ASSIGN].version, 17);
	assert_int_equal(
	    take(&h, SIGNED_ASSIGN, HEAD18 A_BODY, 'A'), SIGNED_MISSING);
	assert_int_equal(take(&h, SIGNED_RELEASE, RELEASE, 'L'), SIGNED_SIGNER);
	assert_int_equal(take(&h, SIGNED_RELEASE, RELEASE, 'X'), SIGNED_OK);
	assert_int_equal(
	    take(&h, SIGNED_ASSIGN, HEAD18 A_BODY, 'A'), SIGNED_OK);
	/* Nothing hangs on a root that has expired, but for the next root. */
	h.tr.now_s = 1800000000;
	assert_int_equal(
	    take(&h, SIGNED_STOP, "signed stop 1\nprobing go\n", 'X'),
	    SIGNED_EXPIRED);
	assert_int_equal(take(&h, SIGNED_ROOT,
			     "signed root 3 expires=1900000000\n"
			     "key root @N\nkey release @X\n"
			     "key assign @A\nnext @N\n",
			     'N'),
	    SIGNED_OK);
	assert_int_equal(
	    take(&h, SIGNED_STOP, "signed stop 1\nprobing go\n", 'X'),
	    SIGNED_OK);
	assert_false(h.tr.stop.stopped);
	signed_trust_clear(&h.tr);
}

/* A monitor that comes back knows what it has seen, and no more. */
static void
test_seen(void **state)
{
	struct signed_key key = signed_text_key('R');
	struct signed_seen seen[SIGNED_KINDS];
	struct held h;
	char dir[128];
	int fd;

	(void)state;
	assert_int_equal(tmpdir_make(dir, sizeof(dir)), 0);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	hold(&h);
	assert_int_equal(take(&h, SIGNED_ROOT,
			     "signed root 2 expires=1800000000\nkey root @N\n"
			     "key release @L\nkey assign @A\nnext @X\n",
			     'N'),
	    SIGNED_OK);
	memcpy(seen, h.tr.seen, sizeof(seen));
	assert_int_equal(signed_seen_save(&h.tr, fd, "seen"), 0);
	signed_trust_clear(&h.tr);
	signed_trust_init(&h.tr, "mon", &key);
	assert_int_equal(signed_seen_load(&h.tr, fd, "none"), 0);
	assert_int_equal(h.tr.seen[0].version, 0);
	assert_int_equal(signed_seen_load(&h.tr, fd, "seen"), 0);
	assert_memory_equal(h.tr.seen, seen, sizeof(seen));
	/* Root 1 again would be a way back; root 2 needs nobody's word. */
	assert_int_equal(take(&h, SIGNED_ROOT, ROOT, 'R'), SIGNED_OLDER);
	assert_int_equal(take(&h, SIGNED_ROOT,
			     "signed root 2 expires=1800000000\nkey root @N\n"
			     "key release @L\nkey assign @A\nnext @X\n",
			     'N'),
	    SIGNED_OK);
	assert_int_equal(take(&h, SIGNED_RELEASE, RELEASE, 'L'), SIGNED_OK);
	/* Damage is noticed. */
	assert_int_equal(pwrite(openat(fd, "seen", O_WRONLY), "9", 1, 10), 1);
	errno = 0;
	assert_int_equal(signed_seen_load(&h.tr, fd, "seen"), -1);
	assert_int_equal(errno, EBADMSG);
	signed_trust_clear(&h.tr);
	close(fd);
	tmpdir_remove(dir);
}

static void
test_nothing_before(void **state)
{
	struct signed_key key = signed_text_key('R');
	struct held h = {0};

	(void)state;
	signed_trust_init(&h.tr, "mon", &key);
	assert_int_equal(take(&h, SIGNED_STOP, STOP, 'L'), SIGNED_MISSING);
	assert_int_equal(take(&h, SIGNED_ROOT, ROOT, 'X'), SIGNED_SIGNER);
	assert_int_equal(take(&h, SIGNED_ROOT, ROOT, 'R'), SIGNED_OK);
	assert_int_equal(take(&h, SIGNED_ASSIGN, ASSIGN, 'A'), SIGNED_MISSING);
	signed_trust_clear(&h.tr);
}

static void
test_object(void **state)
{
	static const char text[] = "192.0.2.1\n";
	struct signed_object o;
	struct signed_fault f;
	char dir[128], path[192];
	int fd;

	(void)state;
	assert_int_equal(tmpdir_make(dir, sizeof(dir)), 0);
	snprintf(path, sizeof(path), "%s/x", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(write(fd, text, 10), 10);
	assert_int_equal(signed_object_make(fd, &o), 0);
	assert_int_equal(o.size, 10);
	assert_int_equal(signed_object_check(fd, &o, &f), 0);
	assert_int_equal(pwrite(fd, "2", 1, 8), 1);
	assert_int_equal(signed_object_check(fd, &o, &f), -1);
	assert_int_equal(f.code, SIGNED_HASH);
	assert_int_equal(pwrite(fd, "1\n\n", 3, 8), 3);
	assert_int_equal(signed_object_check(fd, &o, &f), -1);
	assert_int_equal(f.code, SIGNED_SIZE);
	assert_string_equal(f.text, "has at least 11 bytes, not 10");
	assert_int_equal(ftruncate(fd, 9), 0);
	assert_int_equal(signed_object_check(fd, &o, &f), -1);
	assert_string_equal(f.text, "has 9 bytes, not 10");
	close(fd);
	assert_int_equal(signed_object_check(fd, &o, &f), -1);
	assert_int_equal(f.code, SIGNED_IO);
	tmpdir_remove(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_damage),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_release),
	    cmocka_unit_test(test_line),
	    cmocka_unit_test(test_roots),
	    cmocka_unit_test(test_seen),
	    cmocka_unit_test(test_nothing_before),
	    cmocka_unit_test(test_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
