/*
 * Debian's scamper tools as independent readers of tracelb records: made-up
 * graphs with values of all kinds are written by us and read by them, and what
 * they print is what we print, to the byte.
 */
#include "common/show/more.h"
#include "common/warts/codec.h"
#include "common/warts/tracelb.h"
#include "tests/unit/peer.h"

#define RECORDS 1000
#define NODES 4
#define LINKS 6
#define SETS 3
#define PROBES 5
#define REPLIES 3

/* The arrays of one record. */
static struct warts_tracelb_node nodes[NODES];
static struct warts_tracelb_link links[LINKS];
static struct warts_tracelb_set sets[LINKS][SETS];
static struct warts_tracelb_probe probes[LINKS][SETS][PROBES];
static struct warts_tracelb_reply replies[LINKS][SETS][PROBES][REPLIES];

static void
make_reply(struct warts_tracelb_reply *r, const struct warts_tracelb *t,
    const struct warts_tracelb_probe *p)
{
	static const uint8_t label[4] = {0x12, 0x34, 0x5b, 9};
	static struct warts_ext ext[2] = {{1, 1, 4, label}, {2, 1, 4, label}};
	int v4 = t->dst.family == ADDR_IPV4;

	r->addr = peer_addr(t->dst.family, 1 + below(4));
	r->rx = p->tx;
	r->rx.usec += below(400000);
	r->ipid = v4 ? (uint16_t)below(65536) : 0;
	r->ttl = (uint8_t)below(256);
	r->flags =
	    WARTS_TRACELB_REPLY_TTL | (below(4) ? 0 : WARTS_TRACELB_REPLY_TCP);
	r->icmp_type = (uint8_t)(below(2) ? v4 ? 11 : 3
		: below(2)		  ? below(256)
		: v4			  ? 3
					  : 1);
	r->icmp_code = (uint8_t)below(8);
	r->tcp_flags = (uint8_t)below(256);
	r->q_ttl = (uint8_t)below(4);
	r->q_tos = (uint8_t)below(256);
	if (below(6) == 0)
		r->exts = (struct warts_exts){(uint16_t)(1 + below(2)), ext};
}

static void
make_set(struct warts_tracelb_set *s, const struct warts_tracelb *t, int link,
    int set)
{
	s->nprobes = (uint16_t)(1 + below(PROBES));
	s->probes = probes[link][set];
	for (int i = 0; i < s->nprobes; i++) {
		struct warts_tracelb_probe *p = &s->probes[i];

		p->tx =
		    (struct warts_tv){1700000000 + below(99), below(500000)};
		p->flow = (uint16_t)below(3);
		p->ttl = (uint8_t)below(256);
		p->attempt = (uint8_t)below(4);
		p->nreplies = (uint16_t)below(below(2) ? 2 : REPLIES + 1);
		p->replies = replies[link][set][i];
		for (int k = 0; k < p->nreplies; k++)
			make_reply(&p->replies[k], t, p);
	}
}

/* Nobody answered: Debian's tools crash at a link to nowhere that ends in
 * replies. */
static void
silence(struct warts_tracelb_set *s)
{
	for (int i = 0; i < s->nprobes; i++)
		s->probes[i].nreplies = 0;
}

static void
make_head(struct warts_tracelb *t)
{
	int family = below(2) ? ADDR_IPV4 : ADDR_IPV6;

	t->list = t->cycle = 1;
	t->src = peer_addr(family, 100);
	t->dst = peer_addr(family, 1 + below(6));
	if (below(9) == 0)
		t->rtr = peer_addr(family, 9);
	t->start = (struct warts_tv){1700000000, below(1000000)};
	t->sport = (uint16_t)below(65536);
	t->dport = (uint16_t)below(65536);
	t->probe_size = (uint16_t)below(1500);
	t->method = (uint8_t)(1 + below(5));
	t->first_ttl = (uint8_t)below(256);
	t->wait_s = (uint8_t)below(256);
	t->wait_probe_cs = (uint8_t)below(256);
	t->attempts = (uint8_t)below(256);
	t->confidence = (uint8_t)below(100);
	t->tos = (uint8_t)below(256);
	t->gap_limit = (uint8_t)below(256);
	t->flags = (uint8_t)below(2);
	t->probes_sent = below(0x7fffffff);
	t->probes_max = below(0x7fffffff);
	t->user_id = below(2) ? below(0x7fffffff) : 0;
	t->errmsg = below(9) ? NULL : "no route";
}

static void
make(struct product *p)
{
	struct warts_tracelb t;

	memset(&t, 0, sizeof(t));
	memset(nodes, 0, sizeof(nodes));
	memset(links, 0, sizeof(links));
	memset(replies, 0, sizeof(replies));
	make_head(&t);
	t.nodes = nodes;
	t.links = links;
	t.nnodes = (uint16_t)below(NODES + 1);
	for (int i = 0; i < t.nnodes; i++) {
		nodes[i].addr = peer_addr(t.dst.family, 1 + (uint32_t)i);
		nodes[i].flags = (uint8_t)below(2);
		nodes[i].q_ttl = (uint8_t)below(4);
		nodes[i].name = below(3) ? NULL : "host.example";
	}
	for (int i = 0; i < t.nnodes; i++) {
		uint32_t n = below(3);
		int nowhere = n == 1 && below(3) == 0;

		for (; n > 0 && t.nlinks < LINKS; n--) {
			struct warts_tracelb_link *l = &links[t.nlinks];

			l->from = (uint16_t)i;
			l->to = (uint16_t)below(t.nnodes);
			l->has_to = !nowhere;
			l->nsets = (uint8_t)(1 + below(SETS));
			l->sets = sets[t.nlinks];
			nodes[i].nlinks++;
			for (int k = 0; k < l->nsets; k++)
				make_set(&l->sets[k], &t, t.nlinks, k);
			if (!l->has_to)
				silence(&l->sets[l->nsets - 1]);
			t.nlinks++;
		}
	}
	warts_encode(&p->warts, WARTS_TRACELB, &t);
	show_text_tracelb(&p->text, &peer_context, &t);
	show_json_tracelb(&p->json, &peer_context, &t);
}

/* Some arrays have blanks there, which are not ours. */
static void
mend_blanks(struct wbuf *peer)
{
	mend(peer, "[ {", "[{");
	mend(peer, "}, {", "},{");
}

int
main(void)
{
	return peer_main(make, RECORDS, mend_blanks);
}
