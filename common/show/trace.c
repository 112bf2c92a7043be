#include <stddef.h>

#include "common/show/show.h"

const char *
show_stop_reason(uint8_t reason)
{
	static const char *const words[] = {
	    [WARTS_STOP_NONE] = "NONE",
	    [WARTS_STOP_COMPLETED] = "COMPLETED",
	    [WARTS_STOP_UNREACH] = "UNREACH",
	    [WARTS_STOP_ICMP] = "ICMP",
	    [WARTS_STOP_LOOP] = "LOOP",
	    [WARTS_STOP_GAPLIMIT] = "GAPLIMIT",
	    [WARTS_STOP_ERROR] = "ERROR",
	    [WARTS_STOP_HOPLIMIT] = "HOPLIMIT",
	    [WARTS_STOP_GSS] = "GSS",
	    [WARTS_STOP_HALTED] = "HALTED",
	    [WARTS_STOP_INPROGRESS] = "INPROGRESS",
	};

	return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : NULL;
}

const char *
show_method(uint8_t method)
{
	static const char *const words[] = {
	    [WARTS_TRACE_ICMP] = "icmp-echo",
	    [WARTS_TRACE_UDP] = "udp",
	    [WARTS_TRACE_TCP] = "tcp",
	    [WARTS_TRACE_ICMP_PARIS] = "icmp-echo-paris",
	    [WARTS_TRACE_UDP_PARIS] = "udp-paris",
	    [WARTS_TRACE_TCP_ACK] = "tcp-ack",
	};

	return method < sizeof(words) / sizeof(words[0]) ? words[method] : NULL;
}

uint8_t
show_first_ttl(const struct warts_trace *t)
{
	return t->first_ttl != 0 ? t->first_ttl : 1;
}

uint16_t
show_hop_count(const struct warts_trace *t)
{
	if (t->hop_count != 0 || t->nhops == 0)
		return t->hop_count;
	return t->hops[t->nhops - 1].probe_ttl;
}
