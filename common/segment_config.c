#include "common/segment_config.h"

#include "common/clock.h"

#define MAX_BYTES (64u << 20)
#define MAX_AGE_NS (3600 * NS_PER_SEC)
#define SYNC_NS (5 * NS_PER_SEC)
#define SYNC_BYTES (1u << 20)
#define BATCH_BYTES (256u << 10)
#define WAIT_BYTES (8u << 20)
#define NUMBER_BLOCK (1u << 20)

void
segment_config_defaults(struct segment_config *c)
{
	if (c->max_bytes == 0)
		c->max_bytes = MAX_BYTES;
	if (c->max_age_ns == 0)
		c->max_age_ns = MAX_AGE_NS;
	if (c->sync_ns == 0)
		c->sync_ns = SYNC_NS;
	if (c->sync_bytes == 0)
		c->sync_bytes = SYNC_BYTES;
	if (c->batch_bytes == 0)
		c->batch_bytes = BATCH_BYTES;
	if (c->wait_bytes == 0)
		c->wait_bytes = WAIT_BYTES;
	if (c->number_block == 0)
		c->number_block = NUMBER_BLOCK;
}
