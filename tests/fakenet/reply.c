/*
 * reply: probe in, reply out.  What a packet with TTL t meets, in this order:
 *
 *	for each router before hop t: a link too small?  "too big", or dropped
 *	at the router that refuses the prefix: unreachable, whatever the TTL
 *	at hop t: time exceeded; or it is the destination, which answers
 *
 * A silent router sends no ICMP error and a silent host nothing at all.
 * Nobody answers an ICMP error, a packet to or from an address that is not
 * unicast, or a transport segment with a wrong checksum.
 */
#include "tests/fakenet/fakenet.h"

#include <string.h>

#include "common/clock.h"

#define TOS_ERROR 0xc0 /* RFC 1812 4.3.2.5: internetwork control */
#define ERROR_QUOTE_ALL 2048 /* more than any error holds */
#define MS_PER_DAY 86400000

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* One probe on its way. */
struct visit {
	struct reply *r;
	struct probe p;
	struct path path;
	struct path_hop hop[HOPS_MAX + 1];
	int end; /* the last hop that a packet could reach */
	int at; /* the hop where it ends */
	int64_t now_ns;
	struct traits traits; /* of the router at that hop */
	uint8_t *out;
};

/* --- the sender ----------------------------------------------------------- */

static uint32_t
visit_index(const struct visit *v)
{
	return routers_index(v->p.dst.family, v->at, v->hop[v->at].router);
}

/* The router at v->at, as the source of a packet. */
static struct sender
from_router(struct visit *v)
{
	struct sender s = {.tos = v->p.src.family == ADDR_IPV4 ? TOS_ERROR : 0};

	s.src =
	    path_addr(&v->path, v->at, &v->hop[v->at], v->hop[v->at].router);
	s.ttl = (uint8_t)(v->traits.ttl - (v->at - 1));
	s.ipid = routers_ipid(v->r->routers, visit_index(v),
	    (enum ipid_kind)v->traits.ipid, v->now_ns);
	return s;
}

/* The destination as the source of a packet with traffic class TOS. */
static struct sender
from_host(struct visit *v, uint8_t tos)
{
	struct sender s;

	if (v->path.is_router) {
		s = from_router(v);
		s.tos = tos;
		return s;
	}
	s.src = v->p.dst;
	s.tos = tos;
	s.ttl = addr_hash(&v->p.dst) % 4 == 0 ? 128 : 64;
	s.ttl = (uint8_t)(s.ttl - (v->at - 1));
	s.ipid = routers_host_ipid(v->r->routers, &v->p.dst, v->now_ns);
	return s;
}

/* --- ICMP errors ---------------------------------------------------------- */

/* May the router or host at v->at send an ICMP error now? */
static int
error_allowed(struct visit *v, int silent)
{
	if (silent) {
		v->r->n.silent++;
		return 0;
	}
	if (v->p.kind == PROBE_ICMP_ERROR) {
		v->r->n.ignored++;
		return 0;
	}
	if (v->traits.limited &&
	    !routers_allow(v->r->routers, visit_index(v), v->now_ns)) {
		v->r->n.limited++;
		return 0;
	}
	return 1;
}

/* E from FROM, quoting as that router does. */
static size_t
send_error(struct visit *v, const struct sender *from, struct icmp_error *e)
{
	const struct settings *s = v->r->set;

	e->quoted_ttl = (uint8_t)(v->p.ttl - (v->at - 1));
	e->quote = v->p.src.family == ADDR_IPV4 ? s->quote4 : s->quote6;
	if (v->traits.quote_long)
		e->quote = ERROR_QUOTE_ALL;
	return answer_error(v->out, from, &v->p, e);
}

/* Error E of the router at v->at, if it sends any. */
static size_t
router_error(struct visit *v, struct icmp_error *e)
{
	struct sender from;

	if (!error_allowed(v, v->traits.silent))
		return 0;
	from = from_router(v);
	if (v->path.route != NULL && v->path.route->nat &&
	    v->at == v->path.len - 1)
		from.src = v->p.dst;
	return send_error(v, &from, e);
}

static size_t
time_exceeded(struct visit *v)
{
	int v4 = v->p.src.family == ADDR_IPV4;
	struct icmp_error e = {.type = v4 ? 11 : 3,
	    .nlabels = v->traits.nlabels,
	    .label = v->traits.label};

	return router_error(v, &e);
}

static size_t
unreachable(struct visit *v)
{
	static const uint8_t code4[] = {0, 0, 1, 13}, code6[] = {0, 0, 3, 1};
	int v4 = v->p.src.family == ADDR_IPV4;
	struct icmp_error e = {
	    .type = v4 ? 3 : 1, .code = (v4 ? code4 : code6)[v->path.unreach]};

	return router_error(v, &e);
}

/* The link behind hop v->at is too small. */
static size_t
too_big(struct visit *v)
{
	const struct path_hop *hop = &v->hop[v->at];
	int v4 = v->p.src.family == ADDR_IPV4;
	struct icmp_error e = {.type = v4 ? 3 : 2, .code = v4 ? 4 : 0};
	struct sender from;

	v->r->n.toobig++;
	path_traits(&v->path, v->at, hop->router, &v->traits);
	if (!error_allowed(v, v->traits.silent || hop->ptb == PTB_SILENT))
		return 0;
	if (hop->ptb == PTB_TELL)
		e.rest = hop->mtu;
	else if (hop->ptb == PTB_SAY)
		e.rest = v->path.route->say;
	from = from_router(v);
	return send_error(v, &from, &e);
}

/* --- the destination ------------------------------------------------------ */

static size_t
host_echo(struct visit *v)
{
	struct sender from = from_host(v, v->p.tos);

	return answer_echo(v->out, &from, &v->p);
}

static size_t
host_time(struct visit *v)
{
	struct sender from = from_host(v, v->p.tos);

	return answer_time(v->out, &from, &v->p,
	    (uint32_t)(v->now_ns / NS_PER_MS % MS_PER_DAY));
}

static size_t
host_udp(struct visit *v)
{
	int v4 = v->p.src.family == ADDR_IPV4;
	struct icmp_error e = {.type = v4 ? 3 : 1, .code = v4 ? 3 : 4};
	struct sender from;

	if (!error_allowed(v, 0))
		return 0;
	from = from_host(v, v4 ? TOS_ERROR : 0);
	if (v->path.is_router && v->traits.mercator)
		from.src = path_iface(v->r->set, v->p.dst.family, v->at,
		    (uint32_t)v->path.router << 2);
	return send_error(v, &from, &e);
}

/* A protocol the host does not speak: RFC 1122 3.2.2.1, RFC 8200 4. */
static size_t
host_proto(struct visit *v)
{
	int v4 = v->p.src.family == ADDR_IPV4;
	struct icmp_error e = {.type = v4 ? 3 : 4, .code = v4 ? 2 : 1};
	struct sender from;

	if (!error_allowed(v, 0))
		return 0;
	if (!v4)
		e.rest = 6;
	from = from_host(v, v4 ? TOS_ERROR : 0);
	return send_error(v, &from, &e);
}

static int
port_open(const struct settings *s, uint16_t port)
{
	for (int i = 0; i < s->nports; i++) {
		if (s->port[i] == port)
			return 1;
	}
	return 0;
}

/* Segment length in sequence space: RFC 9293 3.4. */
static uint32_t
tcp_len(const struct probe *p)
{
	uint8_t flags = p->l4[13];
	uint32_t len = (uint32_t)p->l4len - (p->l4[12] >> 4) * 4u;

	return len + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
}

/*
 * The host's side of a connection to an open port, without keeping any: its
 * first sequence number is ISN, a hash of the ports.  It reads what comes and
 * closes when the peer does.  Non-zero if the segment belongs to one; then T is
 * the reply, with flags 0 for none.
 */
static int
tcp_connection(const struct probe *p, uint32_t isn, struct tcp_reply *t)
{
	const uint8_t *tcp = p->l4;

	t->seq = isn;
	t->ack = get32(tcp + 4) + tcp_len(p);
	t->flags = TCP_ACK;
	if (!(tcp[13] & TCP_ACK)) {
		t->flags |= TCP_SYN;
		return tcp[13] & TCP_SYN;
	}
	/* They have our SYN, or our FIN as well. */
	t->seq = get32(tcp + 8);
	if (t->seq - isn - 1 > 1)
		return 0;
	if (tcp_len(p) == 0)
		t->flags = 0;
	else if (tcp[13] & TCP_FIN)
		t->flags |= TCP_FIN;
	return 1;
}

/* RFC 9293 3.10.7.1: the port is closed, the segment no reset. */
static void
tcp_closed(const struct probe *p, struct tcp_reply *t)
{
	*t = (struct tcp_reply){.flags = TCP_RST};
	if (p->l4[13] & TCP_ACK) {
		t->seq = get32(p->l4 + 8);
		return;
	}
	t->ack = get32(p->l4 + 4) + tcp_len(p);
	t->flags |= TCP_ACK;
}

static size_t
host_tcp(struct visit *v)
{
	const uint8_t *tcp = v->p.l4;
	size_t off = (tcp[12] >> 4) * 4u;
	uint32_t isn = (uint32_t)mix2(v->r->set->seed, v->p.first4);
	struct sender from;
	struct tcp_reply t;

	if (tcp[13] & TCP_RST || off < 20 || off > v->p.l4len) {
		v->r->n.ignored++;
		return 0;
	}
	if (!port_open(v->r->set, get16(tcp + 2)) ||
	    !tcp_connection(&v->p, isn, &t))
		tcp_closed(&v->p, &t);
	if (t.flags == 0)
		return 0;
	from = from_host(v, 0);
	return answer_tcp(v->out, &from, &v->p, &t);
}

static size_t
host_nothing(struct visit *v)
{
	v->r->n.ignored++;
	return 0;
}

/* The reply of LEN bytes with the IP option of the packet, in which all have
 * written on the way there and back. */
static size_t
with_option(struct visit *v, size_t len)
{
	struct writers w = {
	    .ms_of_day = (uint32_t)(v->now_ns / NS_PER_MS % MS_PER_DAY)};
	struct addr *a = w.addr;

	for (int h = 1; h < v->at; h++)
		*a++ = path_addr(&v->path, h, &v->hop[h], v->hop[h].router);
	*a++ = v->p.dst;
	for (int h = v->at - 1; h > 0; h--)
		*a++ = w.addr[h - 1];
	w.n = (int)(a - w.addr);
	return answer_option(v->out, len, &v->p, &w);
}

static size_t
destination(struct visit *v)
{
	static size_t (*const answer[])(struct visit *) = {
	    [PROBE_OTHER] = host_proto,
	    [PROBE_ECHO] = host_echo,
	    [PROBE_TIME] = host_time,
	    [PROBE_ICMP] = host_nothing,
	    [PROBE_ICMP_ERROR] = host_nothing,
	    [PROBE_UDP] = host_udp,
	    [PROBE_TCP] = host_tcp,
	    [PROBE_FRAGMENT] = host_nothing,
	};

	size_t len;

	if (!packet_sum_ok(&v->p)) {
		v->r->n.badsum++;
		return 0;
	}
	if (v->path.host_silent) {
		v->r->n.silent++;
		return 0;
	}
	/* The other fragments never come. */
	if (v->p.more_fragments)
		return host_nothing(v);
	len = answer[v->p.kind](v);
	if (len == 0 || v->p.dst.family != ADDR_IPV4 || v->p.hlen == IP4_HLEN)
		return len;
	return with_option(v, len);
}

/* --- the way there -------------------------------------------------------- */

/* Non-zero if a link before hop v->at is too small; v->at is then its hop. */
static int
blocked(struct visit *v)
{
	if (!v->p.dont_fragment)
		return 0;
	for (int h = 1; h < v->at; h++) {
		if (v->hop[h].mtu != 0 && v->p.len > v->hop[h].mtu) {
			v->at = h;
			return 1;
		}
	}
	return 0;
}

/* Non-zero with probability F. */
static int
happens(struct reply *r, uint32_t f)
{
	return f != 0 && slice(routers_random(r->routers), 0) < f;
}

/* From hop LOOP the packet is sent back to the one before, and so on until its
 * TTL is used up. */
static void
go_round(struct probe *p, int loop)
{
	if (p->ttl > loop)
		p->ttl = (uint8_t)(loop - (p->ttl - loop) % 2);
}

static size_t
answer_visit(struct visit *v)
{
	const struct settings *s = v->r->set;
	struct flow_key k = {
	    &v->p.src, &v->p.dst, v->p.proto, v->p.first4, v->p.label};
	struct flow flow = path_flow(s, &k);

	if (s->lb_packet_f != 0 || s->nroutes != 0)
		flow.packet = routers_random(v->r->routers);
	path_init(&v->path, s, &v->p.dst);
	v->end = path_end(&v->path);
	if (v->path.route != NULL && v->path.route->loop_hop != 0)
		go_round(&v->p, v->path.route->loop_hop);
	v->at = v->p.ttl < v->end ? v->p.ttl : v->end;
	path_walk(&v->path, v->at, &flow, v->hop);
	if (blocked(v))
		return too_big(v);
	if (v->at < v->path.len || v->path.is_router)
		path_traits(&v->path, v->at, v->hop[v->at].router, &v->traits);
	if (v->at == v->path.unreach_hop)
		return unreachable(v);
	if (v->at == v->path.len)
		return destination(v);
	return time_exceeded(v);
}

/* Parse and check; NULL and counted if nobody would forward it. */
static const struct probe *
receive(struct visit *v, const uint8_t *pkt, size_t len)
{
	struct counters *n = &v->r->n;

	n->probes++;
	if (packet_parse(pkt, len, &v->p) != NULL || v->p.ttl == 0) {
		n->malformed++;
		return NULL;
	}
	if (!path_unicast(&v->p.dst) || !path_unicast(&v->p.src)) {
		n->ignored++;
		return NULL;
	}
	if (happens(v->r, v->r->set->probe_loss_f)) {
		n->lost++;
		return NULL;
	}
	return &v->p;
}

size_t
reply_make(struct reply *r, const uint8_t *pkt, size_t len, int64_t now_ns,
    uint8_t *out)
{
	const struct settings *s = r->set;
	struct visit v;
	size_t n;

	v.r = r;
	v.now_ns = now_ns;
	v.out = out;
	v.traits = (struct traits){.ttl = 64};
	if (receive(&v, pkt, len) == NULL)
		return 0;
	n = answer_visit(&v);
	if (n == 0)
		return 0;
	if (happens(r, s->reply_loss_f)) {
		r->n.lost++;
		return 0;
	}
	r->again =
	    v.path.route != NULL && v.path.route->twice && v.at == v.path.len;
	r->due_ns = now_ns + v.hop[v.at].rtt_ns;
	if (s->jitter_ns > 0)
		r->due_ns += (int64_t)(routers_random(r->routers) %
		    (uint64_t)s->jitter_ns);
	r->n.replies++;
	return n;
}

void
reply_print(const struct counters *n, FILE *fp)
{
#define X(name, help) fprintf(fp, #name " %llu\n", (unsigned long long)n->name);
	REPLY_COUNTERS(X)
#undef X
}
