/*
 * options: the command line of listmgr(8).  Part of the map in listmgr.h.
 */
#ifndef LISTMGR_OPTIONS_H
#define LISTMGR_OPTIONS_H

#include <stdint.h>

struct options {
	const char *path; /* of the schedule */
	const char *centre; /* settings file; NULL: a schedule of our own */
	const char *make_key;
	const char *prober; /* socket, NULL: standard output */
	const char *dir; /* the generators' working directory */
	const char *user;
	const char *pidfile;
	uint32_t first_uid; /* of the generators' users; 0: ours */
	int check, daemon, verbose, say_exit, network;
};

/* Fill in O, all zeros, from the command line, which is kept.  Dies with exit 100
 * and a reason if it is wrong. */
void options_parse(struct options *o, int argc, char **argv);

#endif
