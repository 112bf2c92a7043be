/*
 * truth: prints what path.c knows, so that a measurement can be compared with
 * it hop by hop.  Words separated by one blank, the destination first:
 *
 *	DST hop TTL ADDR [KEY=VALUE ...]     a hop, or one way of a diamond
 *	DST link TTL FROM TO                 in a diamond, without a flow
 *	DST router KEY=VALUE ...             the destination is a router
 *	DST end completed|unreach|gap TTL [code=N]
 *
 * ADDR is `*' for a router or host that will be silent.  The keys are in the
 * manual page.
 */
#include "tests/fakenet/fakenet.h"

#include <netinet/in.h>
#include <string.h>

#include "common/clock.h"
#include "common/scan.h"

struct view {
	const struct truth *t;
	struct path path;
	struct path_hop hop[HOPS_MAX + 1];
	struct flow flow;
	int has_flow;
	int end;
	char dst[ADDR_STRLEN];
};

/* --- requests ------------------------------------------------------------- */

/* "udp,40000,33435" or "icmp,4660" */
static const char *
scan_flow(char *word, int family, struct flow_key *k)
{
	static const char usage[] =
	    "a flow is udp,SPORT,DPORT or tcp,SPORT,DPORT or icmp,CHECKSUM";
	char *a = strchr(word, ','), *b = NULL;
	uint32_t x, y = 0;

	if (a == NULL)
		return usage;
	*a++ = '\0';
	b = strchr(a, ',');
	if (b != NULL)
		*b++ = '\0';
	if (scan_u32(a, 0, 65535, &x) == -1)
		return usage;
	if (strcmp(word, "icmp") == 0) {
		k->proto = family == ADDR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		k->first4 = (family == ADDR_IPV4 ? 8u : 128u) << 24 | x;
		return b == NULL ? NULL : usage;
	}
	if (b == NULL || scan_u32(b, 0, 65535, &y) == -1)
		return usage;
	k->first4 = x << 16 | y;
	k->proto = strcmp(word, "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	return strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0 ? NULL
								    : usage;
}

/* SRC FLOW [label=N] */
static const char *
view_flow(struct view *v, char **words, int nwords)
{
	struct addr src;
	struct flow_key k = {.src = &src, .dst = &v->path.dst};
	const char *why, *label;

	if (addr_scan(words[0], &src) == -1 || src.family != v->path.dst.family)
		return "the source is not an address of the same family";
	why = scan_flow(words[1], src.family, &k);
	if (why != NULL)
		return why;
	if (nwords == 3) {
		label = scan_keyvalue(words[2], "label");
		if (label == NULL ||
		    scan_u32(label, 0, 0xfffff, &k.label) == -1)
			return "label= is a number from 0 to 1048575";
	}
	v->flow = path_flow(v->t->set, &k);
	v->has_flow = 1;
	return NULL;
}

static const char *
view_init(struct view *v, char *line)
{
	struct addr dst;
	char *words[4];
	int n = scan_words(line, words, 4);

	if (n != 1 && n != 3 && n != 4)
		return "a request is DST or DST SRC FLOW [label=N]";
	if (addr_scan(words[0], &dst) == -1 || !path_unicast(&dst))
		return "not a unicast address";
	path_init(&v->path, v->t->set, &dst);
	addr_str(&dst, v->dst);
	v->end = path_end(&v->path);
	v->has_flow = 0;
	if (n == 1)
		return NULL;
	return view_flow(v, words + 1, n - 1);
}

/* --- hops ----------------------------------------------------------------- */

static int
unreach_code(const struct path *p)
{
	static const uint8_t code4[] = {0, 0, 1, 13}, code6[] = {0, 0, 3, 1};

	return (p->dst.family == ADDR_IPV4 ? code4 : code6)[p->unreach];
}

static void
print_labels(FILE *out, const struct traits *t)
{
	for (int i = 0; i < t->nlabels; i++) {
		uint32_t l = t->label[i];

		fprintf(out, "%s%u:%u:%u:%u", i == 0 ? " mpls=" : ",", l >> 12,
		    l >> 9 & 7, l >> 8 & 1, l & 255);
	}
}

static void
print_keys(const struct view *v, int h, int way, const struct traits *t)
{
	static const char *const kind[] = {"", "flow", "dest", "packet"};
	static const char *const ptb[] = {"", ",zero", ",silent", ",say"};
	const struct path_hop *hop = &v->hop[h];
	FILE *out = v->t->out;

	fprintf(out, " rtt_us=%lld", (long long)(hop->rtt_ns / NS_PER_US));
	if (hop->ways > 1)
		fprintf(out, " way=%d/%d lb=%s", way, hop->ways, kind[hop->lb]);
	if (hop->diverges)
		fputs(" diverges", out);
	if (h == v->path.unreach_hop)
		fprintf(out, " unreach=%d", unreach_code(&v->path));
	else if (h < v->path.len)
		print_labels(out, t);
	if (hop->mtu != 0)
		fprintf(out, " mtu=%u%s", hop->mtu, ptb[hop->ptb]);
}

/* Print way WAY of hop H; non-zero if it is not silent. */
static int
print_way(const struct view *v, int h, int way)
{
	const struct path_hop *hop = &v->hop[h];
	uint16_t router = (uint16_t)((hop->base + way) % ROUTERS);
	struct addr a = path_addr(&v->path, h, hop, router);
	FILE *out = v->t->out;
	char buf[ADDR_STRLEN];
	struct traits t;
	int silent;

	path_traits(&v->path, h, router, &t);
	silent = h == v->path.len ? v->path.host_silent : t.silent;
	addr_str(&a, buf);
	fprintf(out, "%s hop %d %s", v->dst, h, silent ? "*" : buf);
	print_keys(v, h, way, &t);
	if (silent)
		fprintf(out, " by=%s", buf);
	fputc('\n', out);
	return !silent;
}

/* Print hop H; non-zero if it is heard of. */
static int
print_hop(const struct view *v, int h)
{
	const struct path_hop *hop = &v->hop[h];
	int heard = 0;

	if (v->has_flow && hop->lb != LB_PACKET)
		return print_way(v, h, hop->branch);
	for (int way = 0; way < hop->ways; way++)
		heard |= print_way(v, h, way);
	return heard;
}

/* Links from hop H to hop H + 1 where either has ways. */
static void
print_links(const struct view *v, int h)
{
	const struct path_hop *a = &v->hop[h], *b = &v->hop[h + 1];
	char from[ADDR_STRLEN], to[ADDR_STRLEN];
	int n = a->ways > b->ways ? a->ways : b->ways;
	struct addr addr;

	for (int i = 0; i < n && n > 1; i++) {
		addr = path_addr(&v->path, h, a,
		    (uint16_t)((a->base + i % a->ways) % ROUTERS));
		addr_str(&addr, from);
		addr = path_addr(&v->path, h + 1, b,
		    (uint16_t)((b->base + i % b->ways) % ROUTERS));
		addr_str(&addr, to);
		fprintf(v->t->out, "%s link %d %s %s\n", v->dst, h, from, to);
	}
}

static void
print_router(const struct view *v)
{
	static const char *const ipid[] = {"shared", "zero", "random"};
	const struct path *p = &v->path;
	char buf[ADDR_STRLEN];
	struct traits t;
	struct addr a;

	path_traits(p, p->len, p->router, &t);
	fprintf(v->t->out, "%s router ipid=%s limited=%d interfaces=", v->dst,
	    ipid[t.ipid], t.limited);
	for (uint32_t i = 0; i < t.ifaces; i++) {
		a = path_iface(p->set, p->dst.family, p->len,
		    (uint32_t)p->router << 2 | i);
		fprintf(
		    v->t->out, "%s%s", i == 0 ? "" : ",", addr_str(&a, buf));
	}
	fputc('\n', v->t->out);
}

/* --- a trace -------------------------------------------------------------- */

/* The hops up to the end, or to the gap; the TTL of the last one.  *SILENT
 * tells how many at the end are silent. */
static int
print_hops(const struct view *v, int *silent)
{
	int h;

	*silent = 0;
	for (h = 1; h <= v->end; h++) {
		if (print_hop(v, h))
			*silent = 0;
		else
			++*silent;
		if (*silent == v->t->gap)
			return h;
		if (!v->has_flow && h < v->end)
			print_links(v, h);
	}
	/* A silent end is silent at every TTL. */
	for (; *silent > 0 && *silent < v->t->gap; h++, ++*silent)
		fprintf(v->t->out, "%s hop %d *\n", v->dst, h);
	return h - 1;
}

const char *
truth_line(const struct truth *t, char *line)
{
	struct view v;
	const char *why;
	int ttl, silent;

	memset(&v, 0, sizeof(v));
	v.t = t;
	why = view_init(&v, line);
	if (why != NULL)
		return why;
	path_walk(&v.path, v.end, v.has_flow ? &v.flow : NULL, v.hop);
	if (v.path.is_router)
		print_router(&v);
	ttl = print_hops(&v, &silent);
	if (silent > 0)
		fprintf(t->out, "%s end gap %d\n", v.dst, ttl);
	else if (v.path.unreach_hop != 0)
		fprintf(t->out, "%s end unreach %d code=%d\n", v.dst, ttl,
		    unreach_code(&v.path));
	else
		fprintf(t->out, "%s end completed %d\n", v.dst, ttl);
	return NULL;
}
