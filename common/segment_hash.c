#include "common/segment_hash.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "common/thread.h"
#include "common/xmalloc.h"

#define QUEUE 8 /* pieces */
#define WORTH (64u << 10) /* bytes of a piece that starts the thread */

struct piece {
	const void *p;
	size_t len;
};

struct segment_hash {
	EVP_MD_CTX
	*sha; /* the thread's while done < added, else the caller's */
	EVP_MD_CTX *copy;
	int may_start, started; /* a thread */
	pthread_t thread;
	pthread_mutex_t mutex; /* over all that follows */
	pthread_cond_t more, less; /* pieces in the queue */
	struct piece queue[QUEUE];
	uint64_t added, done; /* pieces */
	int stop;
};

static void
update(struct segment_hash *h, const struct piece *piece)
{
	if (EVP_DigestUpdate(h->sha, piece->p, piece->len) != 1)
		abort();
}

/* --- the thread ----------------------------------------------------------- */

static void *
run(void *arg)
{
	struct segment_hash *h = arg;

	pthread_mutex_lock(&h->mutex);
	for (;;) {
		while (h->done == h->added && !h->stop)
			pthread_cond_wait(&h->more, &h->mutex);
		if (h->done == h->added)
			break;
		struct piece piece = h->queue[h->done % QUEUE];

		pthread_mutex_unlock(&h->mutex);
		update(h, &piece);
		pthread_mutex_lock(&h->mutex);
		h->done++;
		pthread_cond_signal(&h->less);
	}
	pthread_mutex_unlock(&h->mutex);
	return NULL;
}

/* --- the caller ----------------------------------------------------------- */

struct segment_hash *
segment_hash_new(int thread)
{
	struct segment_hash *h = xcalloc(1, sizeof(*h));

	h->may_start = thread;
	h->sha = EVP_MD_CTX_new();
	h->copy = EVP_MD_CTX_new();
	if (h->sha == NULL || h->copy == NULL ||
	    EVP_DigestInit_ex(h->sha, EVP_sha256(), NULL) != 1 ||
	    pthread_mutex_init(&h->mutex, NULL) != 0 ||
	    pthread_cond_init(&h->more, NULL) != 0 ||
	    pthread_cond_init(&h->less, NULL) != 0)
		abort();
	return h;
}

void
segment_hash_free(struct segment_hash *h)
{
	if (h == NULL)
		return;
	if (h->started) {
		pthread_mutex_lock(&h->mutex);
		h->stop = 1;
		pthread_cond_signal(&h->more);
		pthread_mutex_unlock(&h->mutex);
		pthread_join(h->thread, NULL);
	}
	pthread_cond_destroy(&h->more);
	pthread_cond_destroy(&h->less);
	pthread_mutex_destroy(&h->mutex);
	EVP_MD_CTX_free(h->sha);
	EVP_MD_CTX_free(h->copy);
	free(h);
}

uint64_t
segment_hash_add(struct segment_hash *h, const void *p, size_t len)
{
	struct piece piece = {p, len};
	uint64_t number;

	if (h->may_start && len >= WORTH) {
		/* Without a thread it only takes longer. */
		h->may_start = 0;
		h->started = thread_start(&h->thread, run, h) == 0;
	}
	if (!h->started) {
		update(h, &piece);
		return 0;
	}
	pthread_mutex_lock(&h->mutex);
	while (h->added - h->done == QUEUE)
		pthread_cond_wait(&h->less, &h->mutex);
	h->queue[h->added % QUEUE] = piece;
	number = ++h->added;
	pthread_cond_signal(&h->more);
	pthread_mutex_unlock(&h->mutex);
	return number;
}

void
segment_hash_wait(struct segment_hash *h, uint64_t number)
{
	if (!h->started)
		return;
	pthread_mutex_lock(&h->mutex);
	while (h->done < number)
		pthread_cond_wait(&h->less, &h->mutex);
	pthread_mutex_unlock(&h->mutex);
}

void
segment_hash_sum(struct segment_hash *h, uint8_t out[SEGMENT_SHA_LEN])
{
	segment_hash_wait(h, h->added);
	if (EVP_MD_CTX_copy_ex(h->copy, h->sha) != 1 ||
	    EVP_DigestFinal_ex(h->copy, out, NULL) != 1)
		abort();
}
