#include "common/fd.h"

#include <errno.h>
#include <unistd.h>

void
fd_close(int fd)
{
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
}
