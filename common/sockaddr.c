#include "common/sockaddr.h"

#include <assert.h>
#include <string.h>

int
sockaddr_family(const struct addr *a)
{
	assert(a->family == ADDR_IPV4 || a->family == ADDR_IPV6);
	return a->family == ADDR_IPV4 ? AF_INET : AF_INET6;
}

socklen_t
sockaddr_make(union sockaddr_any *out, const struct addr *a, uint16_t port)
{
	if (sockaddr_family(a) == AF_INET) {
		out->in = (struct sockaddr_in){
		    .sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&out->in.sin_addr, a->b, 4);
		return sizeof(out->in);
	}
	out->in6 = (struct sockaddr_in6){
	    .sin6_family = AF_INET6, .sin6_port = htons(port)};
	memcpy(&out->in6.sin6_addr, a->b, 16);
	return sizeof(out->in6);
}

struct addr
sockaddr_addr(const union sockaddr_any *sa, uint16_t *port)
{
	struct addr a = {.family = ADDR_NONE};
	uint16_t port_be = 0;

	if (sa->sa.sa_family == AF_INET) {
		a = addr_make(ADDR_IPV4, &sa->in.sin_addr);
		port_be = sa->in.sin_port;
	} else if (sa->sa.sa_family == AF_INET6) {
		a = addr_make(ADDR_IPV6, &sa->in6.sin6_addr);
		port_be = sa->in6.sin6_port;
	}
	if (port != NULL)
		*port = ntohs(port_be);
	return a;
}
