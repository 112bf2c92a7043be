/*
 * nameserver: who is asked for names, and the socket for it (contract: names.h).
 *
 * The socket is made for the first question, and made anew, with another port,
 * when nothing is in flight and it is SOCKET_NS old: an answer must come from the
 * server's address to a port and with an id that a stranger would have to guess.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sockaddr.h"
#include "common/xmalloc.h"
#include "prober/names.h"
#include "prober/prober.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define SERVERS_MAX 3 /* as resolv.conf(5) has it */
#define PORT 53
#define PACKET_MAX 65535
#define BUDGET 64 /* answers at a time */
#define SOCKET_NS (60 * NS_PER_SEC)

struct nameserver {
	struct engine *e;
	struct names *names;
	struct addr servers[SERVERS_MAX];
	unsigned int n, at; /* servers; the one that is asked */
	int given; /* by the operator: resolv.conf does not matter */
	char text[ADDR_STRLEN]; /* of the one that is asked */
	int fd; /* -1: none */
	struct event *readable;
	int64_t opened_ns;
};

/* --- the socket ----------------------------------------------------------------- */

static void
close_socket(struct nameserver *ns)
{
	if (ns->fd == -1)
		return;
	event_free(ns->readable);
	close(ns->fd);
	ns->fd = -1;
}

static void
on_answer(struct nameserver *ns, const uint8_t *p, size_t len)
{
	const struct addr *a;
	struct dns_answer answer;
	uint16_t id;

	if (len < 2)
		return;
	id = (uint16_t)(p[0] << 8 | p[1]);
	a = names_asked(ns->names, id);
	if (a != NULL && dns_read(p, len, a, &answer) == 0)
		names_answer(ns->names, id, &answer, clock_mono_ns());
}

static void
on_readable(int fd, short what, void *arg)
{
	static uint8_t packet[PACKET_MAX];
	struct nameserver *ns = arg;
	ssize_t len;

	(void)what;
	for (int i = 0; i < BUDGET; i++) {
		len = recv(fd, packet, sizeof(packet), 0);
		if (len == -1)
			break; /* a port that nobody has is silence, too */
		on_answer(ns, packet, (size_t)len);
	}
	engine_kick(ns->e);
}

static int
connect_to(int fd, const struct addr *a)
{
	union sockaddr_any to;
	socklen_t len = sockaddr_make(&to, a, PORT);

	return connect(fd, &to.sa, len);
}

static void
open_socket(struct nameserver *ns)
{
	const struct addr *a = &ns->servers[ns->at];

	ns->opened_ns = clock_mono_ns();
	ns->fd = socket(
	    sockaddr_family(a), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ns->fd == -1)
		return;
	ns->readable = event_new(
	    ns->e->base, ns->fd, EV_READ | EV_PERSIST, on_readable, ns);
	event_add(ns->readable, NULL);
	if (connect_to(ns->fd, a) == -1)
		close_socket(ns);
}

static void
ask(void *arg, const struct addr *a, uint16_t id)
{
	struct nameserver *ns = arg;
	uint8_t query[DNS_QUERY_MAX];
	size_t len = dns_query(a, id, query);

	if (ns->fd != -1 && names_asking(ns->names) <= 1 &&
	    clock_mono_ns() - ns->opened_ns > SOCKET_NS)
		close_socket(ns);
	if (ns->fd == -1)
		open_socket(ns);
	if (ns->fd != -1 && send(ns->fd, query, len, 0) == -1)
		log_debug("name server %s: %s", ns->text, strerror(errno));
}

/* --- who is asked ---------------------------------------------------------------- */

static void
use(struct nameserver *ns, unsigned int at)
{
	close_socket(ns);
	ns->at = at;
	ns->text[0] = '\0';
	if (ns->n > 0)
		addr_str(&ns->servers[at], ns->text);
}

static const char *
next(void *arg)
{
	struct nameserver *ns = arg;

	if (ns->n < 2)
		return NULL;
	use(ns, (ns->at + 1) % ns->n);
	return ns->text;
}

static void
left_out(void *arg)
{
	struct nameserver *ns = arg;

	ns->e->stats.names_left++;
}

/* "nameserver 192.0.2.53", and whatever is behind that. */
static void
read_line(struct nameserver *ns, char *line)
{
	char *save = NULL, *word = strtok_r(line, " \t\n", &save);

	if (word == NULL || strcmp(word, "nameserver") != 0 ||
	    ns->n == SERVERS_MAX)
		return;
	word = strtok_r(NULL, " \t\n", &save);
	if (word != NULL && addr_scan(word, &ns->servers[ns->n]) == 0)
		ns->n++;
}

static void
read_file(struct nameserver *ns)
{
	char line[256];
	FILE *f = fopen(RESOLV_CONF, "re");

	if (f == NULL)
		return; /* keep what there was */
	ns->n = 0;
	while (fgets(line, sizeof(line), f) != NULL)
		read_line(ns, line);
	fclose(f);
}

static void
serve(struct nameserver *ns)
{
	use(ns, 0);
	names_serve(ns->names, nameserver_text(ns));
}

void
nameserver_reload(struct nameserver *ns)
{
	if (ns->given)
		return;
	read_file(ns);
	serve(ns);
}

int
nameserver_set(struct nameserver *ns, const char *text)
{
	struct addr a;

	if (addr_scan(text, &a) == -1)
		return -1;
	ns->given = 1;
	ns->servers[0] = a;
	ns->n = 1;
	serve(ns);
	return 0;
}

const char *
nameserver_text(const struct nameserver *ns)
{
	return ns->n > 0 ? ns->text : NULL;
}

struct nameserver *
nameserver_new(struct engine *e, const char *given)
{
	static const struct names_ops ops = {
	    .ask = ask, .next = next, .left_out = left_out};
	struct nameserver *ns = xcalloc(1, sizeof(*ns));

	ns->e = e;
	ns->fd = -1;
	ns->names = names_new(&ops, ns);
	naming_init(&e->window, ns->names);
	if (given == NULL || nameserver_set(ns, given) == -1)
		nameserver_reload(ns);
	return ns;
}

void
nameserver_free(struct nameserver *ns)
{
	ns->e->window.names = NULL;
	names_free(ns->names);
	close_socket(ns);
	free(ns);
}
