/*
 * child_jail: what a child may do.  Entered between fork and exec; child.h
 * starts the program.
 *
 *	network		none but a loopback that is down (CLONE_NEWNET)
 *	user		one of its own, that no other program has: so the
 *			system can count its processes, and whatever it leaves
 *			behind can be found and killed
 *	memory		of each process: the address space
 *	environment	PATH, HOME (the working directory), TZ, LANG=C, and what
 *			the program is given
 *	always		no core file, lower priority than ours, the first that
 *			the kernel takes when memory is short
 */
#ifndef COMMON_CHILD_JAIL_H
#define COMMON_CHILD_JAIL_H

#include <stdint.h>
#include <sys/types.h>

struct child_jail {
	uid_t uid; /* and group; 0: ours */
	int no_network; /* needs CAP_SYS_ADMIN */
	uint32_t processes; /* of UID; 0: no limit, and without UID */
	uint64_t memory; /* bytes of address space of each; 0: no limit */
	uint64_t file_size; /* bytes of a file it writes; 0: no limit */
};

/* Enter J, which is for good; the working directory is entered already.
 * NULL, or what failed, with errno. */
const char *child_jail_enter(const struct child_jail *j);

/* Kill every process of the user of J, whatever group or session it has gone
 * to.  Nothing without a user of its own. */
void child_jail_sweep(const struct child_jail *j);

/* The directory PATH for the generator of J (its user is set), made if it is
 * not there, mode 700.  0, or -1 with errno. */
int child_jail_dir(const struct child_jail *j, const char *path);

#endif
