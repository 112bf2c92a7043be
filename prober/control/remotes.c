/*
 * remotes: the controllers (sc_remoted) that are dialled: that of -R and those
 * that clients add, and how to speak with each of them.  The answers are
 * scamper's, word for word.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/scan.h"
#include "common/tls.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"
#include "prober/control/remote.h"

#define REMOTES_MAX 100

struct remotes_one {
	TAILQ_ENTRY(remotes_one) link;
	struct remote *remote;
	int has_tls, leaving;
};

/* Is TLS spoken with ADDRESS if nobody says? */
static int
wants_tls(const struct control *c, const char *address)
{
	char *host, *port;
	struct addr a;
	int named;

	if (c->cfg->tls != CONTROL_TLS_NAMES)
		return c->cfg->tls == CONTROL_TLS_ALWAYS;
	if (resolve_split(address, &host, &port) == -1)
		return 0;
	named = addr_scan(host, &a) == -1;
	free(host);
	free(port);
	return named;
}

/* Dial ADDRESS.  NULL, or a reason. */
static const char *
add(struct control *c, const char *address, int has_tls, const char **file)
{
	struct remotes_one *one;
	struct tls *tls = NULL;
	struct remote *r;
	const char *why;

	*file = NULL;
	if (has_tls) {
		tls = tls_new_ca(&c->cfg->tls_files, file, &why);
		if (tls == NULL)
			return why;
	}
	r = remote_new(c, address, tls);
	if (r == NULL) {
		tls_free(tls);
		return "invalid server, expect <name>:<port>";
	}
	one = xcalloc(1, sizeof(*one));
	one->remote = r;
	one->has_tls = has_tls;
	TAILQ_INSERT_TAIL(&c->remotes, one, link);
	return NULL;
}

static void
hang_up(struct control *c, struct remotes_one *one)
{
	TAILQ_REMOVE(&c->remotes, one, link);
	remote_free(one->remote);
	free(one);
}

void
remotes_init(struct control *c)
{
	const char *address = c->cfg->remote, *file, *why;

	TAILQ_INIT(&c->remotes);
	if (address == NULL)
		return;
	why = add(c, address, wants_tls(c, address), &file);
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s",
		    file != NULL ? file : address, why);
}

void
remotes_left(struct control *c, struct remote *r)
{
	struct remotes_one *one;

	TAILQ_FOREACH(one, &c->remotes, link)
	{
		if (one->remote == r) {
			hang_up(c, one);
			return;
		}
	}
}

void
remotes_clear(struct control *c)
{
	struct remotes_one *one;

	while ((one = TAILQ_FIRST(&c->remotes)) != NULL)
		hang_up(c, one);
}

void
remotes_reload(struct control *c)
{
	struct remotes_one *one;
	const char *file, *why;
	struct tls *tls;

	TAILQ_FOREACH(one, &c->remotes, link)
	{
		if (!one->has_tls || one->leaving)
			continue;
		tls = tls_new_ca(&c->cfg->tls_files, &file, &why);
		if (tls == NULL) {
			log_warn("%s: %s: keeping the old certificates",
			    file != NULL ? file : "TLS", why);
			return;
		}
		remote_set_tls(one->remote, tls);
	}
}

/* --- what clients say ------------------------------------------------------------ */

static struct remotes_one *
find(const struct control *c, const char *address)
{
	struct remotes_one *one;

	TAILQ_FOREACH(one, &c->remotes, link)
	{
		if (!one->leaving &&
		    strcmp(remote_address(one->remote), address) == 0)
			return one;
	}
	return NULL;
}

static const char *
bad_param(const char *key)
{
	static char why[300];

	snprintf(why, sizeof(why), "remote add param '%.200s' failed", key);
	return why;
}

/* "server N:P ssl on|off" of ARGS.  NULL, or a reason that is good until the
 * next call.  *SSL stays when it is not said. */
static const char *
add_params(char *args, const char **server, int *ssl)
{
	const char *key, *value;

	*server = NULL;
	while ((key = manage_word(&args)) != NULL) {
		value = manage_word(&args);
		if (value != NULL && strcasecmp(key, "server") == 0)
			*server = value;
		else if (value == NULL || strcasecmp(key, "ssl") != 0)
			return bad_param(key);
		else if (strcasecmp(value, "on") == 0)
			*ssl = 1;
		else if (strcasecmp(value, "off") == 0)
			*ssl = 0;
		else
			return "ssl <on|off>";
	}
	return *server == NULL ? "usage remote add server <name>" : NULL;
}

static int
is_server(const char *address)
{
	const char *colon = strrchr(address, ':');
	uint32_t port;

	return colon != NULL && colon != address &&
	    scan_u32(colon + 1, 1, 65535, &port) == 0;
}

static void
remote_add(struct client *cl, char *args)
{
	struct control *c = cl->control;
	const char *server, *why, *file = NULL;
	struct remotes_one *one;
	int ssl = -1, n = 0;

	TAILQ_FOREACH(one, &c->remotes, link)
	n++;
	why = add_params(args, &server, &ssl);
	if (why == NULL && !is_server(server))
		why = "invalid server, expect <name>:<port>";
	else if (why == NULL && ssl == 1 && c->cfg->tls == CONTROL_TLS_NEVER)
		why = "ssl is switched off by -O notls";
	else if (why == NULL && n == REMOTES_MAX)
		why = "too many remotes";
	if (why == NULL && find(c, server) != NULL) {
		chan_printf(cl->chan, "ERR %.300s already exists", server);
		return;
	}
	if (why == NULL)
		why = add(
		    c, server, ssl == -1 ? wants_tls(c, server) : ssl, &file);
	if (why == NULL)
		chan_printf(cl->chan, "OK");
	else
		chan_printf(cl->chan, "ERR %.300s%s%s",
		    file != NULL ? file : "", file != NULL ? ": " : "", why);
}

/* Its clients go with it. */
static void
remote_delete(struct client *cl, char *args)
{
	const char *server = manage_word(&args);
	struct remotes_one *one;

	if (TAILQ_EMPTY(&cl->control->remotes)) {
		chan_printf(cl->chan, "ERR no remote connections");
		return;
	}
	if (server != NULL && strcasecmp(server, "server") == 0)
		server = manage_word(&args);
	if (server == NULL) {
		chan_printf(cl->chan,
		    "ERR missing required parameter for remote delete");
		return;
	}
	one = find(cl->control, server);
	if (one == NULL) {
		chan_printf(cl->chan, "ERR invalid server");
		return;
	}
	chan_printf(cl->chan, "OK");
	one->leaving = 1;
	remote_leave(one->remote);
}

static void
remote_list(struct client *cl, char *args)
{
	const struct remotes_one *one;
	const char *alias;

	(void)args;
	TAILQ_FOREACH(one, &cl->control->remotes, link)
	{
		if (one->leaving)
			continue;
		alias = remote_alias(one->remote);
		chan_printf(cl->chan, "INFO %s%s%s",
		    remote_address(one->remote), alias != NULL ? " alias " : "",
		    alias != NULL ? alias : "");
	}
	chan_printf(cl->chan, "OK");
}

static const struct {
	const char *word;
	void (*obey)(struct client *cl, char *args);
} verbs[] = {
    {"add", remote_add},
    {"delete", remote_delete},
    {"list", remote_list},
};

void
remotes_command(struct client *cl, char *args)
{
	const char *word = manage_word(&args);

	if (word == NULL) {
		chan_printf(
		    cl->chan, "ERR usage: remote [add | delete | list]");
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcasecmp(verbs[i].word, word) == 0) {
			verbs[i].obey(cl, args);
			return;
		}
	}
	chan_printf(cl->chan, "ERR unhandled command '%.200s'", word);
}
