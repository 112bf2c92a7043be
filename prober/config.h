/*
 * config: the file of -g, which says what may be asked for at all:
 *
 *	# comment
 *	trace.enable=1
 *	ping.enable=0
 *
 * What it does not name is enabled.  Names are those of scamper's commands,
 * also of those that are not here, so that one file does for both.
 */
#ifndef PROBER_CONFIG_H
#define PROBER_CONFIG_H

/* Read PATH, and enable and disable techniques (technique.h) as it says.  0; or
 * -1 with all as it was: each error was logged with file and line. */
int config_load(const char *path);

#endif
