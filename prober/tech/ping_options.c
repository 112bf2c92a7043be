/*
 * ping_options: the options of ping (prober-reference §2.2), what they are when
 * not given, and which do not go together.
 */
#include <string.h>
#include <strings.h>

#include "common/scan.h"
#include "prober/tech/ping.h"

#define US_PER_SEC 1000000
#define PATTERN_MAX 16 /* bytes of -p */
#define PAYLOAD_MAX 1000 /* bytes of -B */

static const char *
set_timestamp(void *conf, const char *arg)
{
	struct ping_conf *c = conf;
	const char *list = scan_keyvalue(arg, "tsprespec");

	if (strcasecmp(arg, "tsonly") == 0)
		c->flags |= WARTS_PING_TSONLY;
	else if (strcasecmp(arg, "tsandaddr") == 0)
		c->flags |= WARTS_PING_TSANDADDR;
	else if (list == NULL)
		return "must be tsonly, tsandaddr or tsprespec=ADDRESS,...";
	else if (technique_addrs_scan(list, ADDR_IPV4, &c->tsps) == -1)
		return "tsprespec= must be 1 - 4 IPv4 addresses";
	return NULL;
}

/* The words of -O. */
static const struct {
	const char *word;
	uint32_t flags;
} words[] = {
    {"dl", WARTS_PING_DL},
    {"dltx", WARTS_PING_DLTX},
    {"nosrc", WARTS_PING_NOSRC},
    {"raw", WARTS_PING_RAW},
    {"sockrx", WARTS_PING_SOCKRX},
    {"spoof", WARTS_PING_SPOOF},
    {"tbt", WARTS_PING_TBT},
};

static const char *
set_word(void *conf, const char *arg)
{
	struct ping_conf *c = conf;
	const char *why, *mss = scan_keyvalue(arg, "mss");
	uint32_t v;

	if (source_route_scan(arg, &c->lsrr, &why))
		return why;
	if (mss != NULL) {
		if (scan_u32(mss, 1, 65535, &v) == -1)
			return "mss= must be within 1 - 65535";
		c->mss = (uint16_t)v;
		return NULL;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(words[i].word, arg) == 0) {
			c->flags |= words[i].flags;
			return NULL;
		}
	}
	return "is not one of dl dltx lsrr= mss= nosrc raw sockrx spoof tbt";
}

#define AT(member) offsetof(struct ping_conf, member)

const struct technique_opt ping_opts[] = {
    {'A', OPT_U32, AT(tcp_number), 0, UINT32_MAX, "tcp ack", NULL,
	AT(has_number), NULL},
    {'b', OPT_U16, AT(data_size), 0, 65535, "payload size", NULL,
	AT(has_data_size), NULL},
    {'B', OPT_HEX, AT(payload), 0, PAYLOAD_MAX, "payload", NULL, 0, NULL},
    {'c', OPT_U16, AT(probe_count), 1, 65535, "probe count", NULL, 0, NULL},
    {'C', OPT_U16, AT(icmp_sum), 0, 65535, "checksum", NULL, AT(has_sum), NULL},
    {'d', OPT_U16, AT(dport), 0, 65535, "dport", NULL, AT(has_dport), NULL},
    {'F', OPT_U16, AT(sport), 0, 65535, "sport", NULL, AT(has_sport), NULL},
    {'i', OPT_SECONDS, AT(wait_us), 1000, 20 * US_PER_SEC,
	"wait between probes", NULL, 0, NULL},
    {'m', OPT_U8, AT(ttl), 1, 255, "ttl", NULL, 0, NULL},
    {'M', OPT_U16, AT(mtu), 0, 65535, "reply pmtu", NULL, AT(has_mtu), NULL},
    {'o', OPT_U16, AT(reply_count), 0, 65535, "reply count", NULL, 0, NULL},
    {'O', OPT_CALLS, 0, 0, 0, "option", NULL, 0, set_word},
    {'p', OPT_HEX, AT(pattern), 1, PATTERN_MAX, "pattern", NULL, 0, NULL},
    {'P', OPT_WORD, AT(method), 0, 0, "method", warts_ping_methods, 0, NULL},
    {'r', OPT_ADDR, AT(route.via), 0, 0, "router", NULL, 0, NULL},
    {'R', OPT_FLAG, AT(flags), WARTS_PING_V4RR, 0, "record route", NULL, 0,
	NULL},
    {'s', OPT_U16, AT(size), 0, 65535, "probe size", NULL, 0, NULL},
    {'S', OPT_ADDR, AT(source), 0, 0, "source", NULL, 0, NULL},
    {'T', OPT_CALL, 0, 0, 0, "timestamp option", NULL, 0, set_timestamp},
    {'U', OPT_U32, AT(user_id), 0, UINT32_MAX, "userid", NULL, 0, NULL},
    {'W', OPT_SECONDS, AT(timeout_us), 1000, 255 * US_PER_SEC, "wait timeout",
	NULL, AT(has_timeout), NULL},
    {'y', OPT_STREAM, 0, 0, 20, "stream", NULL, 0, NULL},
    {'z', OPT_U8, AT(tos), 0, 255, "tos", NULL, 0, NULL},
    {0, 0, 0, 0, 0, NULL, NULL, 0, NULL},
};

void
ping_defaults(void *conf)
{
	struct ping_conf *c = conf;

	c->probe_count = 4;
	c->wait_us = US_PER_SEC;
	c->timeout_us = US_PER_SEC;
	c->ttl = 64;
	c->method = WARTS_PING_ICMP_ECHO;
}

/* What depends on the method: ports and numbers. */
static const char *
check_method(struct ping_conf *c)
{
	if (!c->has_sport)
		c->sport = warts_ping_is_icmp(c->method)
		    ? technique_default_id()
		    : technique_default_port();
	if (!c->has_dport && !warts_ping_is_icmp(c->method))
		c->dport = 33435;
	if (c->mss != 0 && c->method != WARTS_PING_TCP_SYN &&
	    c->method != WARTS_PING_TCP_SYN_SPORT)
		return "-O mss is for TCP SYN";
	if (c->has_sum && !warts_ping_is_icmp(c->method))
		return "a checksum can only be chosen for ICMP";
	if (c->has_sum)
		c->flags |= WARTS_PING_ICMPSUM;
	return NULL;
}

/* Which data are in the probe, and how large it is at least. */
static const char *
check_data(struct ping_conf *c)
{
	int options = (c->flags & WARTS_PING_V4RR) != 0;

	options += (c->flags & WARTS_PING_TSONLY) != 0;
	options += (c->flags & WARTS_PING_TSANDADDR) != 0;
	options += c->tsps.count != 0;
	options += c->lsrr.count != 0;
	if (options > 1)
		return "one IP option at most: record route, a timestamp or a "
		       "source route";
	if (c->payload.len != 0 && c->pattern.len != 0)
		return "cannot set both payload and pattern";
	if (c->has_data_size && (c->size != 0 || c->payload.len != 0))
		return "cannot set both payload size and size or payload";
	if (c->payload.len != 0)
		c->flags |= WARTS_PING_PAYLOAD;
	if (c->has_sum && c->payload.len == 1)
		return "a chosen checksum needs two bytes of payload";
	return NULL;
}

/* How probes leave, and what is said of the way back. */
static const char *
check_route(struct ping_conf *c)
{
	int spoof = (c->flags & WARTS_PING_SPOOF) != 0;

	if (c->has_mtu)
		c->flags |= WARTS_PING_DL;
	if (c->flags & WARTS_PING_TBT && c->mtu == 0)
		return "-O tbt needs a reply pmtu";
	if (c->flags & WARTS_PING_NOSRC && !spoof)
		return "-O nosrc is for a spoofed source";
	if (spoof && c->has_sum && !(c->flags & WARTS_PING_NOSRC))
		return "cannot set both a checksum and our address in a "
		       "spoofed probe: add -O nosrc";
	if (c->lsrr.count != 0 && c->route.via.family != ADDR_NONE)
		return "cannot set both a router and a source route";
	if (!spoof)
		c->route.src = c->source;
	/* A source route begins at its first address. */
	if (c->lsrr.count != 0)
		c->route.to = c->lsrr.addr[0];
	c->has_route = c->route.src.family != ADDR_NONE ||
	    c->route.via.family != ADDR_NONE || c->route.to.family != ADDR_NONE;
	return NULL;
}

const char *
ping_check(void *conf)
{
	struct ping_conf *c = conf;
	const char *why = check_method(c);

	if (why == NULL)
		why = check_data(c);
	if (why == NULL)
		why = check_route(c);
	/* A wait of more than 1 s between probes is one for the last, too. */
	if (!c->has_timeout && c->wait_us > c->timeout_us)
		c->timeout_us = c->wait_us;
	return why;
}

/* Is A given, and of another family than DST? */
static int
is_foreign(const struct addr *a, const struct addr *dst)
{
	return a->family != ADDR_NONE && a->family != dst->family;
}

const char *
ping_check_target(const void *conf, const struct addr *dst)
{
	const struct ping_conf *c = conf;

	if (c->lsrr.count != 0 && dst->family != ADDR_IPV4)
		return "a source route is for IPv4";
	if (is_foreign(&c->route.via, dst))
		return "the router is of another family than the target";
	if (is_foreign(&c->source, dst))
		return "the source is of another family than the target";
	if (c->flags & WARTS_PING_TBT && dst->family != ADDR_IPV6)
		return "-O tbt is for IPv6";
	if (c->flags & WARTS_PING_TBT && c->mtu >= ping_size(c, dst->family))
		return "-O tbt needs a reply pmtu below the probe's size";
	if ((c->size != 0 || c->has_data_size) &&
	    ping_size(c, dst->family) < ping_size_min(c, dst->family))
		return "no room for headers and data in a probe of that size";
	return NULL;
}

const struct technique_route *
ping_route(const void *conf)
{
	const struct ping_conf *c = conf;

	return c->has_route ? &c->route : NULL;
}
