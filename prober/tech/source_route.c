#include "prober/tech/source_route.h"

#include <string.h>

#include "common/scan.h"

#define LSRR 131 /* option: loose source and record route (RFC 791) */

int
source_route_scan(
    const char *arg, struct technique_addrs *out, const char **why)
{
	const char *list = scan_keyvalue(arg, "lsrr");

	if (list == NULL)
		return 0;
	*why = technique_addrs_scan(list, ADDR_IPV4, out) == -1
	    ? "lsrr= must be 1 - 4 IPv4 addresses"
	    : NULL;
	return 1;
}

uint8_t
source_route_len(const struct technique_addrs *route)
{
	return route->count == 0 ? 0 : (uint8_t)(4 + 4 * route->count);
}

void
source_route_put(const struct technique_addrs *route, struct probe *pr)
{
	static uint8_t option[40];
	unsigned int n = route->count;

	memset(option, 0, sizeof(option));
	option[0] = LSRR;
	option[1] = (uint8_t)(3 + 4 * n);
	option[2] = 4; /* the first address is the next to go to */
	for (unsigned int i = 1; i < n; i++)
		memcpy(option + 3 + 4 * (i - 1), route->addr[i].b, 4);
	memcpy(option + 3 + 4 * (n - 1), pr->dst->b, 4);
	pr->final = pr->dst;
	pr->dst = &route->addr[0];
	pr->ip_option = option;
	pr->ip_option_len = source_route_len(route);
}
