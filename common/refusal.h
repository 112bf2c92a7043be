/*
 * refusal: why an address that was asked for is not probed, as a number.  The
 * Prober counts by it, the accounts in a spool's marks (segment.h) carry it,
 * and whoever prints an account has the names from here.
 *
 * The numbers are on disk: a new reason goes at the end, none is used again,
 * and there are at most SEGMENT_REASONS.
 */
#ifndef COMMON_REFUSAL_H
#define COMMON_REFUSAL_H

enum refusal {
	REFUSED_DNP, /* do-not-probe list */
	REFUSED_NOROUTE, /* no route, or no source address, to it */
	REFUSED_EXIT, /* still queued when `exit' came */
	REFUSED_GONE, /* still queued when the client that asked went away */
	REFUSED_N,
};

/* The name of reason WHY, also of one that is newer than this program
 * ("other").  Static. */
const char *refusal_name(unsigned int why);

#endif
