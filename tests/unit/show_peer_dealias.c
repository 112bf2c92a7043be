/*
 * Debian's scamper tools as independent readers of alias tests: made-up ones of
 * all methods that Debian knows are written by us and read by them, and what
 * they print is what we print, to the byte.
 *
 * Where Debian is at fault and ours is right: exclusions of a prefix scan it
 * cannot read; an alias of IPv6 has /4294967295 there; the flag of radargun it
 * calls "nobs", of prefixscan it knows one.
 */
#include "common/show/more.h"
#include "common/warts/codec.h"
#include "common/warts/dealias.h"
#include "tests/unit/peer.h"

#define RECORDS 1500
#define DEFS 4
#define PROBES 6
#define REPLIES 3

static struct warts_dealias_def defs[DEFS];
static struct warts_dealias_probe probes[PROBES];
static struct warts_dealias_reply replies[PROBES][REPLIES];

static void
make_def(struct warts_dealias_def *d, int family, uint32_t id)
{
	d->id = id;
	d->method = (uint8_t)(1 + below(6));
	d->ttl = (uint8_t)below(256);
	d->tos = (uint8_t)below(256);
	d->sport = (uint16_t)below(65536);
	d->dport = (uint16_t)below(65536);
	d->tcp_flags = (uint8_t)below(256);
	d->icmp_id = (uint16_t)below(65536);
	d->icmp_sum = (uint16_t)below(65536);
	d->dst = peer_addr(family, 1 + id);
	d->src = peer_addr(family, 100);
	d->size = below(2) ? (uint16_t)below(1500) : 0;
	d->mtu = below(2) ? (uint16_t)below(1500) : 0;
}

static void
make_reply(struct warts_dealias_reply *r, int family)
{
	static const uint8_t protocols[] = {1, 6, 17};
	static const uint8_t label[4] = {0x12, 0x34, 0x5b, 9};
	static struct warts_ext ext[1] = {{1, 1, 4, label}};

	r->src = peer_addr(family, 1 + below(6));
	r->rx = (struct warts_tv){1700000001, below(1000000)};
	r->ipid = (uint16_t)below(65536);
	r->fragid = below(0x7fffffff) * 2;
	r->flags = (uint8_t)below(2);
	r->ttl = (uint8_t)below(256);
	r->icmp_type = (uint8_t)below(below(2) ? 20 : 256);
	r->icmp_code = (uint8_t)below(20);
	r->q_ttl = (uint8_t)below(256);
	r->protocol = protocols[below(3)];
	if (r->protocol == 1 && family == ADDR_IPV6)
		r->protocol = 58;
	r->tcp_flags = (uint8_t)below(256);
	r->size = (uint16_t)below(1500);
	if (below(5) == 0)
		r->exts = (struct warts_exts){1, ext};
}

static void
make_method(struct warts_dealias *d, int family)
{
	static const uint32_t ndefs[] = {0, 1, 2, 0, 0, 2};
	struct warts_dealias_method_block *m = &d->m;

	memset(m, 0, sizeof(*m));
	d->method = (uint8_t)(1 + below(5));
	d->ndefs = ndefs[d->method] != 0 ? ndefs[d->method] : 1 + below(DEFS);
	m->ndefs = d->ndefs;
	m->rounds = (uint16_t)below(65536);
	m->attempts = (uint8_t)below(256);
	m->wait_timeout_s = (uint8_t)below(256);
	m->wait_probe_ms = (uint16_t)below(65536);
	m->wait_round_ms = below(0x7fffffff);
	m->fudge = (uint16_t)below(65536);
	m->bump_limit = (uint16_t)below(65536);
	m->prefix_len = (uint8_t)below(128);
	m->nreplies = (uint8_t)below(7);
	m->a = peer_addr(family, 1);
	m->b = peer_addr(family, below(256));
	if (family == ADDR_IPV4 && below(2))
		m->ab = peer_addr(family, below(256));
	if (d->method == WARTS_DEALIAS_ALLY ||
	    d->method == WARTS_DEALIAS_PREFIXSCAN)
		m->flags = (uint8_t)below(2);
}

static void
make_record(struct warts_dealias *d)
{
	int family = below(2) ? ADDR_IPV4 : ADDR_IPV6;

	memset(d, 0, sizeof(*d));
	memset(defs, 0, sizeof(defs));
	memset(replies, 0, sizeof(replies));
	d->list = d->cycle = 1;
	d->start = (struct warts_tv){1700000000, below(1000000)};
	d->result = (uint8_t)below(5);
	d->user_id = below(2) ? below(0x7fffffff) : 0;
	d->errmsg = below(9) ? NULL : "no route";
	make_method(d, family);
	d->defs = defs;
	for (uint32_t i = 0; i < d->ndefs; i++)
		make_def(&defs[i], family, i);
	d->probes = probes;
	d->nprobes = below(PROBES + 1);
	for (uint32_t i = 0; i < d->nprobes; i++) {
		struct warts_dealias_probe *p = &probes[i];

		p->def = below(d->ndefs);
		p->tx = (struct warts_tv){1700000000, below(1000000)};
		p->ipid = (uint16_t)below(65536);
		p->seq = below(9);
		p->nreplies = (uint16_t)below(REPLIES + 1);
		p->replies = replies[i];
		for (int k = 0; k < p->nreplies; k++)
			make_reply(&replies[i][k], family);
	}
}

static void
make(struct product *p)
{
	struct warts_dealias d;

	make_record(&d);
	warts_encode(&p->warts, WARTS_DEALIAS, &d);
	show_text_dealias(&p->text, &peer_context, &d);
	show_json_dealias(&p->json, &peer_context, &d);
}

/* Some members and arrays have blanks there, which are not ours. */
static void
mend_blanks(struct wbuf *peer)
{
	mend(peer, "}, {", "},{");
	mend(peer, "\"ipid\": ", "\"ipid\":");
}

int
main(void)
{
	return peer_main(make, RECORDS, mend_blanks);
}
