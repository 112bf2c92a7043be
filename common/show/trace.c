/*
 * show/trace: the words for what a trace record holds, used by text and JSON.
 */
#include <stddef.h>

#include "common/show/show.h"
#include "common/warts/trace_hop.h"

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

/* The first ttl from FROM on with a reply from A, or 0. */
static int
path_find(const struct warts_trace *t, const struct addr *a, int from)
{
	for (size_t i = 0; i < t->nhops; i++) {
		if (t->hops[i].probe_ttl >= from &&
		    addr_equal(&t->hops[i].addr, a))
			return t->hops[i].probe_ttl;
	}
	return 0;
}

/*
 * A router not seen on the path: a message quotes the probe as it came to its
 * sender, so what is left of the ttl tells the distance; against the ttl left
 * in another message whose sender was seen, if there is one.
 */
static int
quote_distance(const struct warts_trace *t, const struct warts_hop *h)
{
	const struct warts_pmtud *p = t->pmtud;

	for (size_t i = 0; i < p->hop_count; i++) {
		const struct warts_hop *o = &p->hops[i];
		int ttl;

		if (!warts_hop_quotes(o) || o->probe_ttl != h->probe_ttl)
			continue;
		ttl = path_find(t, &o->addr, 1);
		if (ttl != 0)
			return ttl + o->q_ttl - h->q_ttl;
	}
	return h->q_ttl < h->probe_ttl ? h->probe_ttl - h->q_ttl : 1;
}

int
show_note_distance(
    const struct warts_trace *t, const struct warts_pmtud_note *n, int from)
{
	const struct warts_hop *h;
	int ttl;

	if (!n->has_hop)
		return 0;
	h = &t->pmtud->hops[n->hop];
	if (n->type == WARTS_NOTE_SILENCE)
		return h->probe_ttl;
	ttl = path_find(t, &h->addr, from);
	return ttl != 0 ? ttl : quote_distance(t, h);
}
