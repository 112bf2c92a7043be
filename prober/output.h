/*
 * output: what a kind of output supplies (output.c chooses, output_spool.c and
 * output_file.c are the kinds).
 */
#ifndef PROBER_OUTPUT_H
#define PROBER_OUTPUT_H

#include "prober/prober.h"

struct output_ops {
	int (*cycle_begin)(struct output *o, const struct output_cycle *c);
	void (*cycle_end)(struct output *o, int handle, uint32_t stop);
	int (*record)(
	    struct output *o, int handle, struct technique_record *rec);
	int (*tick)(struct output *o, int64_t now_ns);
	int (*rotate)(struct output *o, int64_t now_ns);
	void (*account)(struct output *o, const struct listcycle *lc);
	int (*close)(struct output *o, int64_t now_ns); /* frees O */
};

/* The head of every kind's struct. */
struct output {
	const struct output_ops *ops;
	char hostname[256];
};

/* A new output as CFG says, into a spool or one file; dies when it cannot be
 * opened.  Its close() frees it. */
struct output *
output_spool_open(const struct output_config *cfg, int64_t now_ns);
struct output *output_file_open(const struct output_config *cfg);

#endif
