/*
 * Bad and hostile publications: each is refused with a reason of its own,
 * changes nothing, and the next good one is taken.
 */
#include <string.h>

#include "test.h"

#include "common/signed.h"
#include "signed_text.h"

/* --- what is refused -------------------------------------------------------- */

struct row {
	const char *name;
	enum signed_kind kind;
	const char *text;
	char signer;
	enum signed_code code;
	const char *why;
};

/* All that was held is held, and what comes next is taken. */
static void
still_good(struct held *h, const struct signed_trust *before)
{
	assert_memory_equal(&h->tr.seen, before->seen, sizeof(before->seen));
	assert_memory_equal(&h->tr.root, &before->root, sizeof(before->root));
	assert_memory_equal(
	    &h->tr.release, &before->release, sizeof(before->release));
	assert_memory_equal(&h->tr.stop, &before->stop, sizeof(before->stop));
	assert_int_equal(take(h, SIGNED_ASSIGN,
			     "signed assign mon 18 expires=1785000000 "
			     "release=5\n" A_BODY,
			     'A'),
	    SIGNED_OK);
	assert_int_equal(take(h, SIGNED_RELEASE,
			     "signed release 6 expires=1790000000\n"
			     "installed listgen-file\n",
			     'L'),
	    SIGNED_OK);
	assert_int_equal(take(h, SIGNED_ROOT,
			     "signed root 2 expires=1800000000\n"
			     "key root @N\nkey release @L\nkey assign @A\n"
			     "next @N\n",
			     'N'),
	    SIGNED_OK);
	assert_int_equal(
	    take(h, SIGNED_STOP, "signed stop 3\nprobing go\n", 'L'),
	    SIGNED_OK);
}

static void
check_rows(const struct row *rows, size_t n)
{
	struct signed_trust before;
	struct held h;

	for (size_t i = 0; i < n; i++) {
		row_is(rows[i].name);
		hold(&h);
		before = h.tr;
		assert_string_equal(signed_code_word(take(&h, rows[i].kind,
					rows[i].text, rows[i].signer)),
		    signed_code_word(rows[i].code));
		if (strstr(h.f.text, rows[i].why) == NULL)
			fail_msg("\"%s\", not \"%s\"", h.f.text, rows[i].why);
		for (size_t k = 0; k < i; k++) {
			if (rows[k].code == rows[i].code &&
			    strcmp(rows[k].why, rows[i].why) == 0)
				fail_msg("the same reason as %s", rows[k].name);
		}
		still_good(&h, &before);
		signed_trust_clear(&h.tr);
	}
}

static void
test_who_and_when(void **state)
{
	static const struct row rows[] = {
	    {"a stranger's", SIGNED_ASSIGN, HEAD18 A_BODY, 'X', SIGNED_SIGNER,
		"may not sign this"},
	    {"the signature of another text", SIGNED_ASSIGN, HEAD18 A_BODY, '!',
		SIGNED_SIGNATURE, "does not match"},
	    {"a signature of another kind of base64", SIGNED_ASSIGN,
		HEAD18 A_BODY, '?', SIGNED_SIGNATURE, "base64 of 64 bytes"},
	    {"a signature without its key", SIGNED_ASSIGN, HEAD18 A_BODY, '-',
		SIGNED_SIGNATURE, "expected signature KEY"},
	    {"another monitor's", SIGNED_ASSIGN,
		"signed assign other 18 expires=1785000000 release=5\n" A_BODY,
		'A', SIGNED_FOREIGN, "is for other, not for mon"},
	    {"another monitor's behind our head", SIGNED_ASSIGN,
		HEAD18 "monitor other\nlist 1 name=a weight=1 run "
		       "listgen-file\n",
		'A', SIGNED_FOREIGN, "the schedule is for other"},
	    {"an older one", SIGNED_ASSIGN,
		"signed assign mon 16 expires=1785000000 release=5\n" A_BODY,
		'A', SIGNED_OLDER, "16 comes after 17"},
	    {"the same version, other text", SIGNED_ASSIGN,
		A_HEAD A_LISTS A_CODE, 'A', SIGNED_CHANGED, "17 has been seen"},
	    {"an expired one", SIGNED_ASSIGN,
		"signed assign mon 18 expires=1779999990 release=5\n" A_BODY,
		'A', SIGNED_EXPIRED, "it expired 10 s ago"},
	    {"for the release before", SIGNED_ASSIGN,
		"signed assign mon 18 expires=1785000000 release=4\n" A_BODY,
		'A', SIGNED_MIXED, "release 4, and 5 is held"},
	    {"for a release to come", SIGNED_ASSIGN,
		"signed assign mon 18 expires=1785000000 release=6\n" A_BODY,
		'A', SIGNED_MIXED, "release 6, and 5 is held"},
	    {"a release by the online key", SIGNED_RELEASE,
		"signed release 6 expires=1790000000\n" RELEASE_BODY, 'A',
		SIGNED_SIGNER, "ed25519:"},
	    {"an older release", SIGNED_RELEASE,
		"signed release 4 expires=1790000000\n" RELEASE_BODY, 'L',
		SIGNED_OLDER, "4 comes after 5"},
	    {"an expired release", SIGNED_RELEASE,
		"signed release 6 expires=1700000000\n" RELEASE_BODY, 'L',
		SIGNED_EXPIRED, "it expired 80000000 s ago"},
	    {"the same release, other text", SIGNED_RELEASE,
		"signed release 5 expires=1790000001\n" RELEASE_BODY, 'L',
		SIGNED_CHANGED, "5 has been seen"},
	    {"a release instead of an assign", SIGNED_ASSIGN,
		"signed release 6 expires=1790000000\n" RELEASE_BODY, 'A',
		SIGNED_KIND, "of kind release, not assign"},
	    {"an assign instead of a stop", SIGNED_STOP, HEAD18 A_BODY, 'L',
		SIGNED_KIND, "of kind assign, not stop"},
	    {"a stop by the online key", SIGNED_STOP,
		"signed stop 3\nprobing go\n", 'A', SIGNED_SIGNER, "is signed"},
	    {"an older stop", SIGNED_STOP, "signed stop 1\nprobing go\n", 'L',
		SIGNED_OLDER, "1 comes after 2"},
	    {"the lift of the same version", SIGNED_STOP,
		"signed stop 2\nprobing go\n", 'L', SIGNED_CHANGED,
		"2 has been seen"},
	    {"a root by the root before, not by next", SIGNED_ROOT,
		"signed root 2 expires=1800000000\n" ROLES, 'R', SIGNED_SIGNER,
		"which may not"},
	    {"a root that leaves one out", SIGNED_ROOT,
		"signed root 3 expires=1800000000\n" ROLES, 'N', SIGNED_MISSING,
		"root 2 must come before"},
	    {"a root by next that is none of its own", SIGNED_ROOT,
		"signed root 2 expires=1800000000\n" ROLES, 'N', SIGNED_SIGNER,
		"does not make a root key"},
	    {"an expired root", SIGNED_ROOT,
		"signed root 2 expires=1770000000\n" ROLES, 'N', SIGNED_EXPIRED,
		"it expired 10000000 s"},
	};

	(void)state;
	check_rows(rows, LEN(rows));
}

#define LONG60 "012345678901234567890123456789012345678901234567890123456789"
#define LONG240 LONG60 LONG60 LONG60 LONG60
#define LONG1200 LONG240 LONG240 LONG240 LONG240 LONG240

static void
test_envelope(void **state)
{
	static const struct row rows[] = {
	    {"nothing", SIGNED_ASSIGN, "", '0', SIGNED_TRUNCATED, "is empty"},
	    {"no signature", SIGNED_ASSIGN, HEAD18 A_BODY, '0',
		SIGNED_TRUNCATED, "the last line is no signature"},
	    {"no newline at the end", SIGNED_ASSIGN, HEAD18 "monitor mon", '0',
		SIGNED_TRUNCATED, "does not end with a newline"},
	    {"nothing but a signature", SIGNED_ASSIGN, "", 'A',
		SIGNED_TRUNCATED, "cut off: the last line"},
	    {"binary", SIGNED_ASSIGN, HEAD18 A_BODY "# \xc3\xa9\n", 'A',
		SIGNED_BYTES, "byte outside"},
	    {"a long line", SIGNED_ASSIGN, HEAD18 A_BODY "# " LONG1200 "\n",
		'A', SIGNED_BYTES, "line too long"},
	    {"another format", SIGNED_ASSIGN, "{\"version\": 18}\n", 'A',
		SIGNED_HEAD, "does not begin with signed KIND"},
	    {"another kind", SIGNED_ASSIGN,
		"signed timestamp 18 expires=1785000000\n", 'A', SIGNED_HEAD,
		"\"timestamp\" is no kind"},
	    {"version 0", SIGNED_ASSIGN,
		"signed assign mon 0 expires=1785000000 release=5\n" A_BODY,
		'A', SIGNED_HEAD, "version is not a number"},
	    {"a version beyond all numbers", SIGNED_RELEASE,
		"signed release 18446744073709551616 expires=1785000000\n", 'L',
		SIGNED_HEAD, "not a number from 1"},
	    {"a monitor that climbs", SIGNED_ASSIGN,
		"signed assign ../mon 18 expires=1785000000 release=5\n" A_BODY,
		'A', SIGNED_HEAD, "monitor name \"../mon\" is not"},
	    {"no expiry", SIGNED_ASSIGN,
		"signed assign mon 18 release=5\n" A_BODY, 'A', SIGNED_HEAD,
		"expires= missing"},
	    {"a wrong expiry", SIGNED_ASSIGN,
		"signed assign mon 18 expires=soon release=5\n" A_BODY, 'A',
		SIGNED_HEAD, "expires is not a Unix time"},
	    {"no release", SIGNED_ASSIGN,
		"signed assign mon 18 expires=1785000000\n" A_BODY, 'A',
		SIGNED_HEAD, "release= missing"},
	    {"a release twice", SIGNED_ASSIGN,
		"signed assign mon 18 expires=1785000000 release=5 release=5\n",
		'A', SIGNED_HEAD, "there twice"},
	    {"a stop that expires", SIGNED_STOP,
		"signed stop 3 expires=1785000000\nprobing go\n", 'L',
		SIGNED_HEAD, "a stop does not expire"},
	    {"a head that must be understood", SIGNED_ASSIGN,
		"signed assign mon 18 expires=1785000000 release=5 "
		"sandbox=1\n" A_BODY,
		'A', SIGNED_UNKNOWN, "\"sandbox=1\" in the head"},
	};

	(void)state;
	check_rows(rows, LEN(rows));
}

static void
test_assign_body(void **state)
{
	static const struct row rows[] = {
	    {"a line that must be understood", SIGNED_ASSIGN,
		HEAD18 A_BODY "sandbox strict\n", 'A', SIGNED_UNKNOWN,
		"unknown key \"sandbox\""},
	    {"a key that must be understood", SIGNED_ASSIGN,
		HEAD18 "monitor mon\nlist 1 name=a weight=1 share=2/3 run "
		       "listgen-file\n",
		'A', SIGNED_UNKNOWN, "unknown key \"share\" of a list"},
	    {"no list", SIGNED_ASSIGN, HEAD18 "monitor mon\n", 'A',
		SIGNED_CONTENT, "no list"},
	    {"no monitor", SIGNED_ASSIGN,
		HEAD18 "list 1 name=a weight=1 run listgen-file\n", 'A',
		SIGNED_CONTENT, "monitor NAME missing"},
	    {"a file that climbs", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_CODE "file 1 ../../etc/passwd on-change=none "
				      "sha256=" SHA_A " size=1\n",
		'A', SIGNED_CONTENT, "file name \"../../etc/passwd\""},
	    {"a file from the root", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_CODE "file 1 /etc/passwd on-change=none "
				      "sha256=" SHA_A " size=1\n",
		'A', SIGNED_CONTENT, "file name \"/etc/passwd\""},
	    {"a file that is the folder", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_CODE "file 1 .. on-change=none sha256=" SHA_A
				      " size=1\n",
		'A', SIGNED_CONTENT, "file name \"..\""},
	    {"a file that is hidden", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_CODE "file 1 .profile on-change=none "
				      "sha256=" SHA_A " size=1\n",
		'A', SIGNED_CONTENT, "file name \".profile\""},
	    {"a file of no list", SIGNED_ASSIGN,
		HEAD18 A_BODY "file 3 y on-change=none sha256=" SHA_A
			      " size=1\n",
		'A', SIGNED_CONTENT, "there is no list 3"},
	    {"a file without hash", SIGNED_ASSIGN,
		HEAD18 A_BODY "file 1 y on-change=none\n", 'A', SIGNED_CONTENT,
		"y has no sha256"},
	    {"a file without size", SIGNED_ASSIGN,
		HEAD18 A_BODY "file 1 y on-change=none sha256=" SHA_A "\n", 'A',
		SIGNED_CONTENT, "given together"},
	    {"a hash that is none", SIGNED_ASSIGN,
		HEAD18 A_BODY "file 1 y on-change=none sha256=12 size=1\n", 'A',
		SIGNED_CONTENT, "64 lower-case hex digits"},
	    {"a file larger than any disk", SIGNED_ASSIGN,
		HEAD18 A_BODY "file 1 y on-change=none sha256=" SHA_A
			      " size=9000000000000\n",
		'A', SIGNED_CONTENT, "larger than 1 GiB"},
	    {"withdrawn data", SIGNED_ASSIGN,
		HEAD18 A_BODY "file 1 y on-change=none sha256=" SHA_W
			      " size=1\n",
		'A', SIGNED_WITHDRAWN, "y was withdrawn by release 5"},
	    {"withdrawn code", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_FILES "code gen sha256=" SHA_W " size=1\n",
		'A', SIGNED_WITHDRAWN, "gen was withdrawn by release 5"},
	    {"code of another name", SIGNED_ASSIGN,
		HEAD18 A_BODY "code gen2 sha256=" SHA_A " size=100\n", 'A',
		SIGNED_CODE, "code gen2 with this hash is not allowed"},
	    {"new code", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_FILES
		"code gen sha256="
		"ee02030405060708090a0b0c0d0e0f10"
		"1112131415161718191a1b1c1d1e1f20 size=1\n",
		'A', SIGNED_CODE, "code gen with this hash is not allowed"},
	    {"code of another size", SIGNED_ASSIGN,
		HEAD18 A_LISTS A_FILES "code gen sha256=" SHA_A " size=101\n",
		'A', SIGNED_CODE, "another size in release 5"},
	    {"a shell", SIGNED_ASSIGN,
		HEAD18 A_BODY "list 3 name=c weight=1 run sh -c \"id\"\n", 'A',
		SIGNED_CODE, "program sh is neither"},
	    {"a program by its path", SIGNED_ASSIGN,
		HEAD18 A_BODY "list 3 name=c weight=1 run "
			      "/usr/bin/listgen-file\n",
		'A', SIGNED_CODE, "program /usr/bin/listgen-file is neither"},
	    {"a list twice", SIGNED_ASSIGN,
		HEAD18 A_BODY "list 1 name=c weight=1 run gen\n", 'A',
		SIGNED_CONTENT, "list 1 is there already"},
	    {"a weight of nothing", SIGNED_ASSIGN,
		HEAD18 A_BODY "list 3 name=c weight=0 run gen\n", 'A',
		SIGNED_CONTENT, "weight \"0\""},
	};

	(void)state;
	check_rows(rows, LEN(rows));
}

#define HEAD6 "signed release 6 expires=1790000000\n"
#define ROOT2 "signed root 2 expires=1800000000\nkey root @N\n"

static void
test_other_bodies(void **state)
{
	static const struct row rows[] = {
	    {"code that climbs", SIGNED_RELEASE,
		HEAD6 "code ../gen " SHA_A " 1\n", 'L', SIGNED_CONTENT,
		"code name is not"},
	    {"code without size", SIGNED_RELEASE, HEAD6 "code gen " SHA_A "\n",
		'L', SIGNED_CONTENT, "code: too few arguments"},
	    {"code of no hash", SIGNED_RELEASE, HEAD6 "code gen latest 1\n",
		'L', SIGNED_CONTENT, "sha256 is not 64"},
	    {"code twice", SIGNED_RELEASE,
		HEAD6 "code g " SHA_A " 1\ncode g " SHA_A " 1\n", 'L',
		SIGNED_CONTENT, "this code is there already"},
	    {"code allowed and withdrawn", SIGNED_RELEASE,
		HEAD6 "code g " SHA_A " 1\nwithdrawn " SHA_A "\n", 'L',
		SIGNED_WITHDRAWN, "g is allowed and withdrawn"},
	    {"a path as installed", SIGNED_RELEASE, HEAD6 "installed /bin/sh\n",
		'L', SIGNED_CONTENT, "program name is not"},
	    {"a cap of nothing", SIGNED_RELEASE, HEAD6 "caps * rate=0\n", 'L',
		SIGNED_CONTENT, "packets per second from 1"},
	    {"no time for the dead man", SIGNED_RELEASE,
		HEAD6 "caps * deadman=never\n", 'L', SIGNED_CONTENT,
		"deadman is not a duration"},
	    {"a cap that must be understood", SIGNED_RELEASE,
		HEAD6 "caps * bytes=9\n", 'L', SIGNED_UNKNOWN,
		"unknown key of caps"},
	    {"caps twice", SIGNED_RELEASE,
		HEAD6 "caps * rate=1\ncaps * rate=2\n", 'L', SIGNED_CONTENT,
		"has caps already"},
	    {"a prefix of no family", SIGNED_RELEASE, HEAD6 "dnp everywhere\n",
		'L', SIGNED_CONTENT, "not an"},
	    {"bits beyond a prefix", SIGNED_RELEASE, HEAD6 "dnp 10.0.0.1/8\n",
		'L', SIGNED_CONTENT, "bits set beyond"},
	    {"an unknown line", SIGNED_RELEASE, HEAD6 "allow everything\n", 'L',
		SIGNED_UNKNOWN, "unknown key \"allow\""},
	    {"a stop of nothing", SIGNED_STOP, "signed stop 3\n", 'L',
		SIGNED_CONTENT, "probing is missing"},
	    {"a stop of some sort", SIGNED_STOP,
		"signed stop 3\nprobing slow\n", 'L', SIGNED_CONTENT,
		"neither stop nor go"},
	    {"both", SIGNED_STOP, "signed stop 3\nprobing stop\nprobing go\n",
		'L', SIGNED_CONTENT, "given already on line 2"},
	    {"a root without roles", SIGNED_ROOT, ROOT2 "next @N\n", 'N',
		SIGNED_CONTENT, "no key has the role release"},
	    {"a root without a next", SIGNED_ROOT,
		ROOT2 "key release @L\nkey assign @A\n", 'N', SIGNED_CONTENT,
		"next is missing"},
	    {"a role that is none", SIGNED_ROOT,
		ROOT2 "key admin @X\nkey release @L\nkey assign @A\nnext @N\n",
		'N', SIGNED_CONTENT, "role is not root"},
	    {"a key of another kind", SIGNED_ROOT,
		ROOT2 "key release rsa:abc\n", 'N', SIGNED_CONTENT,
		"does not begin with ed25519:"},
	    {"a key cut short", SIGNED_ROOT, ROOT2 "key release ed25519:AAAA\n",
		'N', SIGNED_CONTENT, "base64 of 32 bytes"},
	};

	(void)state;
	check_rows(rows, LEN(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_who_and_when),
	    cmocka_unit_test(test_envelope),
	    cmocka_unit_test(test_assign_body),
	    cmocka_unit_test(test_other_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
