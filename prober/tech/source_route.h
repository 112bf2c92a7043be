/*
 * source_route: the loose source route of a probe (RFC 791), the option
 * `-O lsrr=A,B,...' of trace and ping.
 *
 *	IP header     to A, the first address
 *	option        131, length, pointer 4, B, ..., the target, end
 *
 * The packet is sent to A; each address of the route puts the next one into
 * the header and its own in the place of that in the option.
 */
#ifndef PROBER_SOURCE_ROUTE_H
#define PROBER_SOURCE_ROUTE_H

#include "prober/tech/technique.h"

/* ARG, "lsrr=A,B,...", into OUT: 1 and NULL or a static reason in *WHY; 0: ARG
 * is something else. */
int source_route_scan(
    const char *arg, struct technique_addrs *out, const char **why);

/* Bytes of the option, 0 without a route. */
uint8_t source_route_len(const struct technique_addrs *route);

/* PR, which goes to its target, takes ROUTE (one address at least).  Its bytes
 * are good until the next call. */
void source_route_put(const struct technique_addrs *route, struct probe *pr);

#endif
