/*
 * settings: what can be set, one row per key.  Fractions are written as 0.25
 * or 25%; durations with a unit.  A `route' gives the path to one prefix
 * exactly, for tests that need a certain thing in a certain place:
 *
 *	route 203.0.113.0/24 hops=9 silent=4,5 mpls=3 mtu=1400@5 unreach=admin@7
 *	route 2001:db8:1::/48 hops=8 lb=3@2+2 host=silent
 *
 * Such a path has nothing random on it; what its routers are like otherwise
 * (IP-IDs, initial TTL, rate limits) is drawn as everywhere.
 */
#include "tests/fakenet/fakenet.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/scan.h"

#define LINE_WORDS 32

void
settings_init(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->seed = 1;
	s->hops_min = 5;
	s->hops_max = 30;
	addr_prefix_scan("100.64.0.0/10", &s->pool4);
	addr_prefix_scan("2001:db8:ffff::/48", &s->pool6);
	s->ways_min = 2;
	s->ways_max = 4;
	s->lb_len_min = 1;
	s->lb_len_max = 3;
	s->limit_rate = 100;
	s->limit_burst = 10;
	s->ifaces = 1;
	s->quote4 = 8;
	s->quote6 = 1280 - 2 * IP6_HLEN - 8;
	s->nmtu = 1;
	s->mtu[0] = 1400;
}

/* A fraction: 0.25, 25%, 1. */
static int
scan_fraction(const char *word, uint32_t *out_f)
{
	size_t n = strspn(word, "0123456789.");
	char *end;
	double v;

	if (n == 0 || n > 12)
		return -1;
	v = strtod(word, &end);
	if (end != word + n)
		return -1;
	if (*end == '%') {
		v /= 100;
		end++;
	}
	if (*end != '\0' || v > 1)
		return -1;
	*out_f = (uint32_t)(v * FRAC_ONE + 0.5);
	return 0;
}

static int
scan_int(const char *word, uint32_t min, uint32_t max, int *out)
{
	uint32_t v;

	if (scan_u32(word, min, max, &v) == -1)
		return -1;
	*out = (int)v;
	return 0;
}

/* Cut WORD at the first C; what is behind it, or NULL. */
static char *
cut(char *word, char c)
{
	char *p = strchr(word, c);

	if (p != NULL)
		*p++ = '\0';
	return p;
}

/* --- keys that set one field ---------------------------------------------- */

#define FRACTION_KEY(key, field)                                 \
	static const char *set_##key(                            \
	    void *ctx, char **words, int nwords, int line)       \
	{                                                        \
		struct settings *s = ctx;                        \
		(void)nwords;                                    \
		(void)line;                                      \
		if (scan_fraction(words[1], &s->field) == -1)    \
			return "not a fraction between 0 and 1"; \
		return NULL;                                     \
	}

FRACTION_KEY(probe_loss, probe_loss_f)
FRACTION_KEY(reply_loss, reply_loss_f)
FRACTION_KEY(silent_routers, silent_routers_f)
FRACTION_KEY(silent_hosts, silent_hosts_f)
FRACTION_KEY(diamonds, diamonds_f)
FRACTION_KEY(per_destination, lb_dest_f)
FRACTION_KEY(per_packet, lb_packet_f)
FRACTION_KEY(ipid_zero, ipid_zero_f)
FRACTION_KEY(ipid_random, ipid_random_f)
FRACTION_KEY(mercator, mercator_f)
FRACTION_KEY(mpls, mpls_f)
FRACTION_KEY(quote_long, quote_long_f)
FRACTION_KEY(unreach, unreach_f)
FRACTION_KEY(mtu_silent, ptb_silent_f)
FRACTION_KEY(mtu_zero, ptb_zero_f)

#define NUMBER_KEY(key, field, min, max)                              \
	static const char *set_##key(                                 \
	    void *ctx, char **words, int nwords, int line)            \
	{                                                             \
		struct settings *s = ctx;                             \
		(void)nwords;                                         \
		(void)line;                                           \
		if (scan_u32(words[1], min, max, &s->field) == -1)    \
			return "not a number from " #min " to " #max; \
		return NULL;                                          \
	}

NUMBER_KEY(ipid_rate, ipid_rate, 0, 65535)
NUMBER_KEY(quote4, quote4, 8, 1472)
NUMBER_KEY(quote6, quote6, 8, 1192)

static const char *
set_seed(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	if (scan_u64(words[1], 0, UINT64_MAX, &s->seed) == -1)
		return "not a number";
	return NULL;
}

static const char *
set_interfaces(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	if (scan_int(words[1], 1, IFACES_MAX, &s->ifaces) == -1)
		return "not a number from 1 to 4";
	return NULL;
}

static const char *
set_rtt(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	if (scan_duration(words[1], NS_PER_MS, &s->rtt_hop_ns) == -1 ||
	    s->rtt_hop_ns > NS_PER_SEC)
		return "not a duration up to 1s";
	return NULL;
}

static const char *
set_jitter(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	if (scan_duration(words[1], NS_PER_MS, &s->jitter_ns) == -1 ||
	    s->jitter_ns > 10 * NS_PER_SEC)
		return "not a duration up to 10s";
	return NULL;
}

static const char *
set_flow_label(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	if (strcmp(words[1], "yes") != 0 && strcmp(words[1], "no") != 0)
		return "neither yes nor no";
	s->flow_label = words[1][0] == 'y';
	return NULL;
}

/* --- keys that set several ------------------------------------------------ */

/* Words 1 and 2 (if there is one) as a range. */
static const char *
set_range(char **words, int nwords, int max, int *out)
{
	int lo, hi;

	if (scan_int(words[1], 1, (uint32_t)max, &lo) == -1)
		return "number out of range";
	hi = lo;
	if (nwords > 2 && scan_int(words[2], 1, (uint32_t)max, &hi) == -1)
		return "number out of range";
	if (lo > hi)
		return "the smaller number comes first";
	out[0] = lo;
	out[1] = hi;
	return NULL;
}

static const char *
set_hops(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	int range[2];
	const char *why = set_range(words, nwords, HOPS_MAX, range);

	(void)line;
	if (why != NULL || range[0] < 2)
		return why != NULL ? why : "a path has two hops at least";
	s->hops_min = range[0];
	s->hops_max = range[1];
	return NULL;
}

static const char *
set_ways(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	int range[2];
	const char *why = set_range(words, nwords, WAYS_MAX, range);

	(void)line;
	if (why != NULL || range[0] < 2)
		return why != NULL ? why : "a diamond has two ways at least";
	s->ways_min = range[0];
	s->ways_max = range[1];
	return NULL;
}

static const char *
set_diamond_length(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	int range[2];
	const char *why = set_range(words, nwords, 8, range);

	(void)line;
	if (why != NULL)
		return why;
	s->lb_len_min = range[0];
	s->lb_len_max = range[1];
	return NULL;
}

static const char *
set_pool(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	struct addr_prefix p;
	const char *why = addr_prefix_scan(words[1], &p);

	(void)nwords;
	(void)line;
	if (why != NULL)
		return why;
	if (p.addr.family == ADDR_IPV4) {
		if (p.len > 10)
			return "the pool is smaller than a /10";
		s->pool4 = p;
		return NULL;
	}
	if (p.len > 64)
		return "the pool is smaller than a /64";
	s->pool6 = p;
	return NULL;
}

static const char *
set_rate_limit(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	uint32_t f, rate, burst = s->limit_burst;

	(void)line;
	if (scan_fraction(words[1], &f) == -1)
		return "not a fraction between 0 and 1";
	if (scan_u32(words[2], 1, 1000000, &rate) == -1)
		return "the rate is not a number from 1 to 1000000";
	if (nwords > 3 && scan_u32(words[3], 1, 1000000, &burst) == -1)
		return "the burst is not a number from 1 to 1000000";
	s->limited_f = f;
	s->limit_rate = rate;
	s->limit_burst = burst;
	return NULL;
}

static const char *
set_mtu(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	uint32_t v;

	(void)line;
	if (scan_fraction(words[1], &s->mtu_f) == -1)
		return "not a fraction between 0 and 1";
	for (int i = 2; i < nwords; i++) {
		if (scan_u32(words[i], 1280, 65535, &v) == -1)
			return "an MTU is a number from 1280 to 65535";
		s->mtu[i - 2] = (uint16_t)v;
		s->nmtu = i - 1;
	}
	return NULL;
}

static const char *
set_open_ports(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	uint32_t v;

	(void)line;
	for (int i = 1; i < nwords; i++) {
		if (scan_u32(words[i], 1, 65535, &v) == -1)
			return "a port is a number from 1 to 65535";
		s->port[i - 1] = (uint16_t)v;
	}
	s->nports = nwords - 1;
	return NULL;
}

/* --- route ---------------------------------------------------------------- */

static const char *
route_hops(struct route *r, char *value)
{
	if (scan_int(value, 2, HOPS_MAX, &r->hops) == -1)
		return "hops= is a number from 2 to 31";
	return NULL;
}

static const char *
route_mask(char *value, uint32_t *mask)
{
	char *next;
	uint32_t h;

	for (; value != NULL; value = next) {
		next = cut(value, ',');
		if (scan_u32(value, 1, HOPS_MAX, &h) == -1)
			return "a hop is a number from 1 to 31";
		*mask |= 1u << h;
	}
	return NULL;
}

static const char *
route_silent(struct route *r, char *value)
{
	return route_mask(value, &r->silent);
}

static const char *
route_mpls(struct route *r, char *value)
{
	return route_mask(value, &r->mpls);
}

static const char *
route_unreach(struct route *r, char *value)
{
	static const char *const name[] = {"", "net", "host", "admin"};
	char *hop = cut(value, '@');

	for (int i = UNREACH_NET; i <= UNREACH_ADMIN; i++) {
		if (strcmp(value, name[i]) == 0)
			r->unreach = (enum unreach)i;
	}
	if (r->unreach == UNREACH_NONE || hop == NULL ||
	    scan_int(hop, 1, HOPS_MAX, &r->unreach_hop) == -1)
		return "unreach= is net@HOP, host@HOP or admin@HOP";
	return NULL;
}

/* 1400@5, 1400@5,silent or 1400@5,zero or 1400@5,say:9000 */
static const char *
route_mtu(struct route *r, char *value)
{
	static const char usage[] =
	    "mtu= is BYTES@HOP[,silent|,zero|,say:BYTES]";
	char *kind = cut(value, ','), *hop = cut(value, '@');
	uint32_t mtu;

	if (hop == NULL || scan_u32(value, 68, 65535, &mtu) == -1 ||
	    scan_int(hop, 1, HOPS_MAX, &r->mtu_hop) == -1)
		return usage;
	r->mtu = (uint16_t)mtu;
	if (kind == NULL)
		return NULL;
	if (strncmp(kind, "say:", 4) == 0 &&
	    scan_u32(kind + 4, 1, 65535, &mtu) == 0) {
		r->ptb = PTB_SAY;
		r->say = (uint16_t)mtu;
		return NULL;
	}
	if (strcmp(kind, "silent") != 0 && strcmp(kind, "zero") != 0)
		return usage;
	r->ptb = kind[0] == 's' ? PTB_SILENT : PTB_ZERO;
	return NULL;
}

/* WAYS@HOP[+LENGTH][,packet|,dest] */
static const char *
route_lb(struct route *r, char *value)
{
	static const char usage[] = "lb= is WAYS@HOP[+LENGTH][,dest|,packet]";
	char *kind = cut(value, ','), *hop = cut(value, '@'), *len;

	if (hop == NULL)
		return usage;
	len = cut(hop, '+');
	r->lb = LB_FLOW;
	r->lb_len = 1;
	if (scan_int(value, 2, WAYS_MAX, &r->lb_ways) == -1 ||
	    scan_int(hop, 1, HOPS_MAX, &r->lb_hop) == -1 ||
	    (len != NULL && scan_int(len, 1, HOPS_MAX, &r->lb_len) == -1))
		return usage;
	if (kind == NULL)
		return NULL;
	if (strcmp(kind, "dest") != 0 && strcmp(kind, "packet") != 0)
		return usage;
	r->lb = kind[0] == 'd' ? LB_DEST : LB_PACKET;
	return NULL;
}

static const char *
route_host(struct route *r, char *value)
{
	r->host_silent = strcmp(value, "silent") == 0;
	r->nat = strcmp(value, "nat") == 0;
	r->twice = strcmp(value, "twice") == 0;
	if (!r->host_silent && !r->nat && !r->twice && strcmp(value, "up") != 0)
		return "host= is up, silent, nat or twice";
	return NULL;
}

static const char *
route_loop(struct route *r, char *value)
{
	if (scan_int(value, 2, HOPS_MAX, &r->loop_hop) == -1)
		return "loop= is a number from 2 to 31";
	return NULL;
}

static const struct {
	const char *name;
	const char *(*set)(struct route *, char *);
} route_words[] = {
    {"hops", route_hops},
    {"silent", route_silent},
    {"mpls", route_mpls},
    {"unreach", route_unreach},
    {"mtu", route_mtu},
    {"lb", route_lb},
    {"host", route_host},
    {"loop", route_loop},
};

static const char *
route_word(struct route *r, char *word)
{
	char *value = cut(word, '=');
	size_t n = sizeof(route_words) / sizeof(route_words[0]);

	for (size_t i = 0; i < n && value != NULL; i++) {
		if (strcmp(word, route_words[i].name) == 0)
			return route_words[i].set(r, value);
	}
	return "a route has hops=, silent=, mpls=, unreach=, mtu=, lb=, host=, "
	       "loop=";
}

static const char *
set_route(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;
	struct route r = {.hops = 0};
	const char *why = addr_prefix_scan(words[1], &r.prefix);

	(void)line;
	for (int i = 2; i < nwords && why == NULL; i++)
		why = route_word(&r, words[i]);
	if (why != NULL)
		return why;
	if (s->nroutes == ROUTES_MAX)
		return "more than 64 routes";
	s->route[s->nroutes++] = r;
	return NULL;
}

/* --- the table ------------------------------------------------------------ */

const struct conf_key settings_keys[] = {
    {"seed", 1, 1, 0, set_seed, "seed NUMBER"},
    {"hops", 1, 2, 0, set_hops, "hops MIN [MAX]"},
    {"pool", 1, 1, 0, set_pool, "pool PREFIX"},
    {"rtt-hop", 1, 1, 0, set_rtt, "rtt-hop DURATION"},
    {"jitter", 1, 1, 0, set_jitter, "jitter DURATION"},
    {"probe-loss", 1, 1, 0, set_probe_loss, "probe-loss FRACTION"},
    {"reply-loss", 1, 1, 0, set_reply_loss, "reply-loss FRACTION"},
    {"silent-routers", 1, 1, 0, set_silent_routers, "silent-routers FRACTION"},
    {"silent-hosts", 1, 1, 0, set_silent_hosts, "silent-hosts FRACTION"},
    {"diamonds", 1, 1, 0, set_diamonds, "diamonds FRACTION"},
    {"ways", 1, 2, 0, set_ways, "ways MIN [MAX]"},
    {"diamond-length", 1, 2, 0, set_diamond_length, "diamond-length MIN [MAX]"},
    {"per-destination", 1, 1, 0, set_per_destination,
	"per-destination FRACTION"},
    {"per-packet", 1, 1, 0, set_per_packet, "per-packet FRACTION"},
    {"flow-label", 1, 1, 0, set_flow_label, "flow-label yes|no"},
    {"rate-limit", 2, 3, 0, set_rate_limit, "rate-limit FRACTION RATE [BURST]"},
    {"interfaces", 1, 1, 0, set_interfaces, "interfaces NUMBER"},
    {"ipid-zero", 1, 1, 0, set_ipid_zero, "ipid-zero FRACTION"},
    {"ipid-random", 1, 1, 0, set_ipid_random, "ipid-random FRACTION"},
    {"ipid-rate", 1, 1, 0, set_ipid_rate, "ipid-rate NUMBER"},
    {"mercator", 1, 1, 0, set_mercator, "mercator FRACTION"},
    {"mpls", 1, 1, 0, set_mpls, "mpls FRACTION"},
    {"quote4", 1, 1, 0, set_quote4, "quote4 BYTES"},
    {"quote6", 1, 1, 0, set_quote6, "quote6 BYTES"},
    {"quote-long", 1, 1, 0, set_quote_long, "quote-long FRACTION"},
    {"unreach", 1, 1, 0, set_unreach, "unreach FRACTION"},
    {"mtu", 1, 1 + MTUS_MAX, 0, set_mtu, "mtu FRACTION [BYTES ...]"},
    {"mtu-silent", 1, 1, 0, set_mtu_silent, "mtu-silent FRACTION"},
    {"mtu-zero", 1, 1, 0, set_mtu_zero, "mtu-zero FRACTION"},
    {"open-ports", 1, PORTS_MAX, 0, set_open_ports, "open-ports PORT ..."},
    {"route", 2, 9, 0, set_route, "route PREFIX KEY=VALUE ..."},
    {NULL, 0, 0, 0, NULL, NULL},
};

const char *
settings_line(struct settings *s, char *line)
{
	char *words[LINE_WORDS];
	const struct conf_key *k = settings_keys;
	int n = scan_words(line, words, LINE_WORDS);

	if (n <= 0)
		return n == 0 ? "empty" : "too many words";
	while (k->name != NULL && strcmp(k->name, words[0]) != 0)
		k++;
	if (k->name == NULL)
		return "unknown key";
	if (n - 1 < k->min || n - 1 > k->max)
		return k->usage;
	return k->set(s, words, n, 0);
}

const char *
settings_check(const struct settings *s)
{
	for (int i = 0; i < s->nroutes; i++) {
		const struct route *r = &s->route[i];
		int len = r->hops != 0 ? r->hops : s->hops_min;

		if (r->unreach_hop >= len || r->mtu_hop >= len ||
		    r->loop_hop >= len)
			return "unreach=, mtu= or loop= beyond the last router";
		if (r->lb_hop != 0 && r->lb_hop + r->lb_len >= len)
			return "lb= does not end before the destination";
	}
	if (s->lb_dest_f + s->lb_packet_f > FRAC_ONE)
		return "per-destination and per-packet exceed 1";
	if (s->ipid_zero_f + s->ipid_random_f > FRAC_ONE)
		return "ipid-zero and ipid-random exceed 1";
	if (s->ptb_silent_f + s->ptb_zero_f > FRAC_ONE)
		return "mtu-silent and mtu-zero exceed 1";
	return NULL;
}
