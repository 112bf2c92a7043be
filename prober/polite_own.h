/*
 * polite_own: what the files of polite share.
 *
 * The file of limits, read through common/conf.h.  Each line may be missing:
 *
 *	probing go|stop		may anything be sent?
 *	rate 500		packets/s in all; 0: not said
 *	address-rate 5		... to one address
 *	prefix-rate 20		... to one prefix
 *	until 1700000000	Unix time from which on nothing is sent; 0: none
 *	dead-man 2h		stop when this file is older
 *	do-not-probe 192.0.2.0/24	any number of them
 *
 * Its age counts from its last modification, and only if it could be read then:
 * garbage does not keep anyone alive.
 */
#ifndef PROBER_POLITE_OWN_H
#define PROBER_POLITE_OWN_H

#include <sys/stat.h>

#include "prober/polite.h"

struct prefixset;

/* What a file of limits says. */
struct polite_limits {
	struct polite_rates rates;
	struct prefixset *floor; /* NULL: nothing was read yet */
	uint64_t until_s; /* Unix time, 0: none */
	int stop;
};

/* The state of one budget; all times monotonic. */
struct polite_budget {
	struct addr key; /* the address or prefix; family 0: free */
	int64_t next_ns; /* the next packet may go */
	int64_t wake_ns; /* the last of those that wait is woken */
	int64_t hold_ns; /* the last of its commands on hold is due */
};

struct polite_waiting {
	int64_t due_ns;
	struct task *task;
};

struct polite {
	struct polite_config cfg;
	struct polite_rates rates; /* in force */
	struct polite_limits limits;
	struct prefixset *floor; /* of cfg.floor */
	struct stat seen, floor_seen; /* the files when last looked at */
	int64_t alive_ns; /* modification time of the last good one */
	const char *stopped; /* why, or NULL */
	int floor_is_new; /* since the last packet */
	int64_t recheck_ns; /* until then tasks may be older than the floor */
	struct polite_budget *slots; /* open addressing */
	uint32_t nslots, nused;
	struct polite_waiting *heap; /* nheap; stale entries are passed over */
	uint32_t nheap, cap;
	uint64_t waits;
};

#endif
