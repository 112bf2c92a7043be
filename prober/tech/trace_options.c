/*
 * trace_options: the options of trace (prober-reference §2.1), what they are
 * when not given, and which do not go together.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/scan.h"
#include "common/xmalloc.h"
#include "prober/tech/source_route.h"
#include "prober/tech/stopset.h"
#include "prober/tech/trace.h"

#define FRAGMENT_MIN 4 /* bytes of a fragment: its number */

static const char *const method_words[] = {[UDP] = "UDP",
    [ICMP] = "ICMP",
    [UDP_PARIS] = "UDP-paris",
    [ICMP_PARIS] = "ICMP-paris",
    [TCP] = "TCP",
    [TCP_ACK] = "TCP-ack",
    NULL};

/* --- single options ----------------------------------------------------------- */

static const char *
set_confidence(void *conf, const char *arg)
{
	struct trace_conf *c = conf;
	uint32_t v;

	if (scan_u32(arg, 95, 99, &v) == -1 || (v != 95 && v != 99))
		return "must be 95 or 99";
	c->confidence = (uint8_t)v;
	return NULL;
}

static const char *
add_global_stop(void *conf, const char *arg)
{
	struct trace_conf *c = conf;
	struct addr a;

	if (addr_scan(arg, &a) == -1)
		return "is not an address";
	if (c->gss_family != ADDR_NONE && c->gss_family != a.family)
		return "is of another family than the one before";
	if (c->gss == NULL)
		c->gss = stopset_new();
	c->gss_family = a.family;
	c->flags |= WARTS_TRACE_DOUBLETREE;
	stopset_add(c->gss, &a);
	return NULL;
}

static const char *
set_local_set(void *conf, const char *arg)
{
	struct trace_conf *c = conf;

	if (*arg == '\0')
		return "must not be empty";
	c->lss_name = xstrdup(arg);
	c->flags |= WARTS_TRACE_DOUBLETREE;
	return NULL;
}

/* The words of -O. */
static const struct {
	const char *word;
	uint32_t flags;
	uint8_t offset; /* of a member to be 1, or 0 */
} words[] = {
    {"back", WARTS_TRACE_BACK, 0},
    {"const-payload", WARTS_TRACE_CONSTPAYLOAD, 0},
    {"dl", WARTS_TRACE_DL, 0},
    {"dtree-noback", 0, offsetof(struct trace_conf, noback)},
    {"nortt", 0, offsetof(struct trace_conf, nortt)},
    {"ptr", WARTS_TRACE_PTR, 0},
    {"raw", WARTS_TRACE_RAW, 0},
};

static const char *
set_word(void *conf, const char *arg)
{
	struct trace_conf *c = conf;
	const char *why;

	if (source_route_scan(arg, &c->lsrr, &why))
		return why;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i].word, arg) != 0)
			continue;
		c->flags |= words[i].flags;
		if (words[i].offset != 0)
			((uint8_t *)c)[words[i].offset] = 1;
		return NULL;
	}
	return "is not one of back const-payload dl dtree-noback lsrr= nortt "
	       "ptr raw";
}

/* --- the table ------------------------------------------------------------------ */

#define AT(member) offsetof(struct trace_conf, member)

const struct technique_opt trace_opts[] = {
    {'c', OPT_CALL, 0, 0, 0, "confidence", NULL, 0, set_confidence},
    {'d', OPT_U16, AT(dport), 1, 65535, "dport", NULL, 0, NULL},
    {'f', OPT_U8, AT(first_ttl), 1, 255, "first hop", NULL, 0, NULL},
    {'g', OPT_U8, AT(gap_limit), 1, 255, "gaplimit", NULL, 0, NULL},
    {'G', OPT_U8, AT(gap_action), 1, 2, "gapaction", NULL, 0, NULL},
    {'H', OPT_SECONDS, AT(wait_hop_us), 0, 2000000, "wait-probe-hop", NULL, 0,
	NULL},
    {'l', OPT_U8, AT(loops), 0, 255, "loops", NULL, 0, NULL},
    {'m', OPT_U8, AT(hop_limit), 0, 255, "max ttl", NULL, 0, NULL},
    {'M', OPT_FLAG, AT(flags), WARTS_TRACE_PMTUD, 0, "path MTU discovery", NULL,
	0, NULL},
    {'N', OPT_U8, AT(squeries), 1, 255, "squeries", NULL, 0, NULL},
    {'o', OPT_U16, AT(offset), 0, 8190, "offset", NULL, 0, NULL},
    {'O', OPT_CALLS, 0, 0, 0, "option", NULL, 0, set_word},
    {'p', OPT_HEX, AT(payload), 0, 0, "payload", NULL, 0, NULL},
    {'P', OPT_WORD, AT(method), 0, 0, "method", method_words, 0, NULL},
    {'q', OPT_U8, AT(attempts), 1, 20, "attempts", NULL, 0, NULL},
    {'Q', OPT_FLAG, AT(flags), WARTS_TRACE_ALLATTEMPTS, 0, "all attempts", NULL,
	0, NULL},
    {'r', OPT_ADDR, AT(route.via), 0, 0, "router", NULL, 0, NULL},
    {'s', OPT_U16, AT(sport), 0, 65535, "sport", NULL, 0, NULL},
    {'S', OPT_ADDR, AT(route.src), 0, 0, "source", NULL, 0, NULL},
    {'t', OPT_U8, AT(tos), 0, 255, "tos", NULL, 0, NULL},
    {'T', OPT_FLAG, AT(flags), WARTS_TRACE_IGNORETTLDST, 0,
	"ignore time exceeded from the target", NULL, 0, NULL},
    {'U', OPT_U32, AT(user_id), 0, UINT32_MAX, "userid", NULL, 0, NULL},
    {'w', OPT_U8, AT(wait_s), 1, 10, "wait", NULL, 0, NULL},
    {'W', OPT_U8, AT(wait_probe_cs), 0, 200, "wait-probe", NULL, 0, NULL},
    {'y', OPT_STREAM, 0, 0, 20, "stream", NULL, 0, NULL},
    {'z', OPT_CALLS, 0, 0, 0, "global stop", NULL, 0, add_global_stop},
    {'Z', OPT_CALL, 0, 0, 0, "local stop set", NULL, 0, set_local_set},
    {0, 0, 0, 0, 0, NULL, NULL, 0, NULL},
};

void
trace_defaults(void *conf)
{
	struct trace_conf *c = conf;

	c->dport = 0; /* 33435, or the sport for icmp-paris */
	c->first_ttl = 1;
	c->gap_limit = 5;
	c->gap_action = 1;
	c->loops = 1;
	c->method = UDP_PARIS;
	c->attempts = 2;
	c->squeries = 1;
	c->wait_s = 5;
	c->sport = technique_default_port();
}

/* --- what goes together ------------------------------------------------------------- */

static const char *
check_payload(const struct trace_conf *c)
{
	int constant = (c->flags & WARTS_TRACE_CONSTPAYLOAD) != 0;
	int paris = c->method == UDP_PARIS || c->method == ICMP_PARIS;

	if (c->payload.len > 0 && trace_is_tcp(c))
		return "a TCP probe has no payload";
	if (c->payload.len == 1 && paris && !constant)
		return "a paris payload needs at least two bytes";
	if (c->payload.len > 0 && c->offset != 0 &&
	    c->payload.len < FRAGMENT_MIN)
		return "the payload of a fragment needs at least four bytes";
	return NULL;
}

static const char *
check_pmtud(const struct trace_conf *c)
{
	if (!(c->flags & WARTS_TRACE_PMTUD))
		return NULL;
	if (c->first_ttl != 1)
		return "cannot set both path MTU discovery and a first hop";
	if (c->flags & (WARTS_TRACE_DOUBLETREE | WARTS_TRACE_BACK))
		return "cannot set path MTU discovery with doubletree or back";
	if (c->method == TCP || c->offset != 0)
		return "no path MTU discovery by TCP SYN or fragments";
	return NULL;
}

static const char *
check_course(const struct trace_conf *c)
{
	if (c->hop_limit != 0 && c->first_ttl > c->hop_limit)
		return "first hop must not be beyond the max ttl";
	if (c->confidence != 0 && c->flags & WARTS_TRACE_ALLATTEMPTS)
		return "cannot set both all-attempts and confidence";
	if (c->squeries > c->gap_limit)
		return "squeries cannot be greater than gaplimit";
	if (c->flags & WARTS_TRACE_BACK && c->hop_limit == 0)
		return "-O back needs a max ttl";
	if (c->flags & WARTS_TRACE_BACK && c->flags & WARTS_TRACE_DOUBLETREE)
		return "cannot set both back and doubletree";
	if (c->lsrr.count != 0 && c->route.via.family != ADDR_NONE)
		return "cannot set both a router and a source route";
	return check_pmtud(c);
}

/* Does it take more than one probe at a time with a rising ttl, or more than
 * its replies? */
static int
is_rare(const struct trace_conf *c)
{
	return c->squeries > 1 || c->confidence != 0 || c->offset != 0 ||
	    c->lsrr.count != 0 ||
	    c->flags &
	    (WARTS_TRACE_PMTUD | WARTS_TRACE_DOUBLETREE | WARTS_TRACE_BACK |
		WARTS_TRACE_PTR);
}

/* What is asked for each probe. */
static void
prepare(struct trace_conf *c)
{
	static const uint8_t kinds[] = {
	    [UDP] = PROBE_UDP,
	    [ICMP] = PROBE_ICMP_ECHO,
	    [UDP_PARIS] = PROBE_UDP,
	    [ICMP_PARIS] = PROBE_ICMP_ECHO,
	    [TCP] = PROBE_TCP,
	    [TCP_ACK] = PROBE_TCP,
	};

	c->kind = c->offset != 0 ? PROBE_FRAGMENT : kinds[c->method];
	c->rare = is_rare(c) != 0;
	c->all = c->confidence != 0 || c->flags & WARTS_TRACE_ALLATTEMPTS;
	c->pauses = c->wait_probe_cs != 0 || c->wait_hop_us != 0;
	for (int v6 = 0; v6 < 2; v6++) {
		if (c->payload.len > 0)
			c->payload_len[v6] = c->payload.len;
		else if (!trace_is_tcp(c) || c->offset != 0)
			c->payload_len[v6] = v6 ? 12 : 16;
		c->size[v6] = (uint16_t)(c->payload_len[v6] +
		    packet_build_headers_of(
			v6 ? ADDR_IPV6 : ADDR_IPV4, c->kind) +
		    source_route_len(&c->lsrr));
	}
}

const char *
trace_check(void *conf)
{
	struct trace_conf *c = conf;
	const char *why = check_payload(c);

	if (why == NULL)
		why = check_course(c);
	if (c->sport == 0)
		c->sport = technique_default_port();
	if (c->method == ICMP_PARIS) {
		c->flags |= WARTS_TRACE_ICMPCSUM;
		if (c->dport == 0)
			c->dport = technique_default_port();
	}
	if (c->dport == 0)
		c->dport = 33435;
	/* A stop set and confidence are about one hop after the other. */
	if (c->confidence != 0 || c->offset != 0 ||
	    c->flags & (WARTS_TRACE_DOUBLETREE | WARTS_TRACE_BACK))
		c->squeries = 1;
	prepare(c);
	/* A source route begins at its first address. */
	if (c->lsrr.count != 0)
		c->route.to = c->lsrr.addr[0];
	c->has_route = c->route.src.family != ADDR_NONE ||
	    c->route.via.family != ADDR_NONE || c->route.to.family != ADDR_NONE;
	return why;
}

const char *
trace_check_target(const void *conf, const struct addr *dst)
{
	const struct trace_conf *c = conf;

	if (c->offset != 0 && dst->family != ADDR_IPV6)
		return "a fragment offset is for IPv6";
	if (c->lsrr.count != 0 && dst->family != ADDR_IPV4)
		return "a source route is for IPv4";
	if (c->flags & WARTS_TRACE_RAW &&
	    (dst->family != ADDR_IPV4 || !trace_is_tcp(c)))
		return "-O raw is for TCP by IPv4";
	if (c->route.via.family != ADDR_NONE &&
	    c->route.via.family != dst->family)
		return "the router is of another family than the target";
	if (c->route.src.family != ADDR_NONE &&
	    c->route.src.family != dst->family)
		return "the source is of another family than the target";
	if (c->gss_family != ADDR_NONE && c->gss_family != dst->family)
		return "a global stop is of another family than the target";
	return NULL;
}

void
trace_clear(void *conf)
{
	struct trace_conf *c = conf;

	stopset_free(c->gss);
	free(c->lss_name);
}

const struct technique_route *
trace_route(const void *conf)
{
	const struct trace_conf *c = conf;

	return c->has_route ? &c->route : NULL;
}
