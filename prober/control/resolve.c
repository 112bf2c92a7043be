/*
 * resolve: a name server may take its time; probing does not wait for it.  A
 * child asks, and says the address through a pipe.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/control/remote.h"

struct resolve {
	void (*done)(void *arg, const char *address);
	void *arg;
	pid_t child;
	int fd;
	struct event *readable;
	char text[INET6_ADDRSTRLEN];
	size_t len;
};

int
resolve_split(const char *address, char **host, char **port)
{
	const char *colon = strrchr(address, ':');
	size_t n;

	if (colon == NULL || colon == address || colon[1] == '\0')
		return -1;
	n = (size_t)(colon - address);
	*port = xstrdup(colon + 1);
	*host = xstrdup(address);
	(*host)[n] = '\0';
	if (**host == '[' && (*host)[n - 1] == ']') {
		(*host)[n - 1] = '\0';
		memmove(*host, *host + 1, n - 1);
	}
	return 0;
}

static _Noreturn void
ask(const char *host, int fd)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char text[INET6_ADDRSTRLEN];

	alarm(60);
	if (getaddrinfo(host, NULL, &hints, &found) != 0)
		_exit(1);
	if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text),
		NULL, 0, NI_NUMERICHOST) != 0)
		_exit(1);
	_exit(write(fd, text, strlen(text)) == -1);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct resolve *r = arg;
	void (*done)(void *, const char *) = r->done;
	void *done_arg = r->arg;
	char text[INET6_ADDRSTRLEN];
	ssize_t n = read(fd, r->text + r->len, sizeof(r->text) - 1 - r->len);

	(void)what;
	if (n > 0) {
		r->len += (size_t)n;
		return;
	}
	memcpy(text, r->text, sizeof(text));
	n = (ssize_t)r->len;
	resolve_free(r);
	done(done_arg, n > 0 ? text : NULL);
}

struct resolve *
resolve_new(struct event_base *base, const char *host,
    void (*done)(void *arg, const char *address), void *arg)
{
	struct resolve *r = xcalloc(1, sizeof(*r));
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1 || (r->child = fork()) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot start a process");
	if (r->child == 0)
		ask(host, fds[1]);
	close(fds[1]);
	r->fd = fds[0];
	r->done = done;
	r->arg = arg;
	r->readable =
	    event_new(base, r->fd, EV_READ | EV_PERSIST, on_readable, r);
	event_add(r->readable, NULL);
	return r;
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	event_free(r->readable);
	close(r->fd);
	kill(r->child, SIGKILL);
	waitpid(r->child, NULL, 0);
	free(r);
}
