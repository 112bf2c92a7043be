/*
 * dial: from a name to a connection (contract: remote.h): its address, by a
 * process that waits for the name server; the connection; TLS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/tls.h"
#include "common/xmalloc.h"
#include "prober/control/remote.h"

#define SHAKE_NS (20 * NS_PER_SEC)

struct dial {
	struct dial_config cfg;
	char *host, *port;
	struct resolve *resolve;
	struct tls_shake *shake;
	int over; /* done() was called */
};

/* A connection, or WHY there is none. */
static void
tell(struct dial *d, int fd, struct chan_io *io, const char *why)
{
	d->over = 1;
	d->cfg.done(d->cfg.arg, fd, io, why);
}

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	struct dial *d = arg;

	d->shake = NULL;
	tell(d, fd, conn != NULL ? &conn->io : NULL, why);
	dial_free(d);
}

/* To IP, or there is no such address. */
static void
connect_to(struct dial *d, const char *ip)
{
	struct tls_shake_config cfg = {
	    .base = d->cfg.base,
	    .tls = d->cfg.tls,
	    .host = d->host,
	    .deadline_ns = SHAKE_NS,
	    .done = on_shaken,
	    .arg = d,
	};
	const char *why = "no address has that name";
	char where[128];

	cfg.fd = -1;
	if (ip != NULL) {
		snprintf(where, sizeof(where),
		    strchr(ip, ':') != NULL ? "[%s]:%s" : "%s:%s", ip, d->port);
		cfg.fd = chan_connect(where, &why);
	}
	if (cfg.fd == -1)
		tell(d, -1, NULL, why);
	else if (d->cfg.tls != NULL)
		d->shake = tls_shake_new(&cfg);
	else
		tell(d, cfg.fd, NULL, NULL);
}

static void
on_resolved(void *arg, const char *ip)
{
	struct dial *d = arg;

	d->resolve = NULL;
	connect_to(d, ip);
	if (d->over)
		dial_free(d);
}

struct dial *
dial_new(const struct dial_config *cfg)
{
	struct dial *d = xcalloc(1, sizeof(*d));
	struct addr a;

	d->cfg = *cfg;
	d->host = xstrdup(cfg->host);
	d->port = xstrdup(cfg->port);
	if (addr_scan(cfg->host, &a) == 0)
		connect_to(d, cfg->host);
	else
		d->resolve = resolve_new(cfg->base, cfg->host, on_resolved, d);
	if (!d->over)
		return d;
	dial_free(d);
	return NULL;
}

void
dial_free(struct dial *d)
{
	if (d == NULL)
		return;
	resolve_free(d->resolve);
	tls_shake_free(d->shake);
	free(d->host);
	free(d->port);
	free(d);
}
