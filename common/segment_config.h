/*
 * segment_config: what a writer of segments does where it is not told: how
 * large and how old a segment gets, how much may be lost with the power.
 */
#ifndef COMMON_SEGMENT_CONFIG_H
#define COMMON_SEGMENT_CONFIG_H

#include "common/segment.h"

/* Fill in the limits of C that are 0: segments of 64 MiB and an hour, on the
 * disk at the latest after 5 s and a MiB, written by 256 KiB. */
void segment_config_defaults(struct segment_config *c);

#endif
