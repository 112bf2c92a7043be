/*
 * segment_hash: whatever the pieces and whoever hashes them, the sum is that
 * of the bytes in their order, also in between; and a block may be filled again
 * as soon as its piece was waited for.
 */
#include <string.h>

#include <openssl/evp.h>

#include "common/segment_hash.h"
#include "common/xmalloc.h"
#include "tests/unit/test.h"

#define TOTAL (3u << 20)
#define BLOCK (256u << 10)

static uint8_t *
some_bytes(void)
{
	uint8_t *p = xmalloc(TOTAL);
	uint32_t x = 1;

	for (size_t i = 0; i < TOTAL; i++) {
		x = x * 1103515245u + 12345u;
		p[i] = (uint8_t)(x >> 16);
	}
	return p;
}

static void
assert_sum(struct segment_hash *h, const uint8_t *p, size_t len)
{
	uint8_t want[SEGMENT_SHA_LEN], got[SEGMENT_SHA_LEN];

	assert_int_equal(EVP_Digest(p, len, want, NULL, EVP_sha256(), NULL), 1);
	segment_hash_sum(h, got);
	assert_memory_equal(got, want, sizeof(want));
}

static void
test_pieces(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 63, 1000, 65535, 65536, 262144, 1 << 20, TOTAL};
	uint8_t *p = some_bytes();
	struct segment_hash *h;
	size_t at, n;

	(void)state;
	for (int thread = 0; thread <= 1; thread++) {
		for (size_t i = 1; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			h = segment_hash_new(thread);
			assert_sum(h, p, 0);
			for (at = 0; at < TOTAL && at / sizes[i] < 5000;
			     at += n) {
				n = TOTAL - at < sizes[i] ? TOTAL - at
							  : sizes[i];
				segment_hash_add(h, p + at, n);
				segment_hash_add(h, p, 0);
			}
			assert_sum(h, p, at);
			if (at < TOTAL)
				segment_hash_add(h, p + at, TOTAL - at);
			assert_sum(h, p, TOTAL);
			segment_hash_free(h);
		}
	}
	free(p);
}

/* Two blocks in turn, as a reader fills them. */
static void
test_blocks(void **state)
{
	uint8_t *p = some_bytes(), *blocks = xmalloc(2 * BLOCK), *b;
	struct segment_hash *h = segment_hash_new(1);
	uint64_t pieces[2] = {0, 0};
	int k;

	(void)state;
	for (size_t at = 0; at < TOTAL; at += BLOCK) {
		k = at / BLOCK % 2;
		b = blocks + (size_t)k * BLOCK;
		segment_hash_wait(h, pieces[k]);
		memcpy(b, p + at, BLOCK);
		segment_hash_add(h, b, 100);
		pieces[k] = segment_hash_add(h, b + 100, BLOCK - 100);
	}
	assert_sum(h, p, TOTAL);
	segment_hash_free(h);
	free(blocks);
	free(p);
}

/* Nobody asks for the sum. */
static void
test_given_up(void **state)
{
	uint8_t *p = some_bytes();

	(void)state;
	for (int i = 0; i < 20; i++) {
		struct segment_hash *h = segment_hash_new(1);

		segment_hash_add(h, p, TOTAL);
		segment_hash_free(h);
	}
	segment_hash_free(NULL);
	free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
