/*
 * show/text: a traceroute as text (contract: show.h).
 *
 *	traceroute from SRC to DST via ROUTER
 *	 1  192.0.2.2  0.507 ms  0.005 ms
 *	 2  *
 *	 3  192.0.2.14  0.049 ms !X [mtu: 1500]
 *
 * One line per ttl, replies of one ttl beside each other; an address is
 * printed when it is not that of the reply before.
 */
#include <stddef.h>
#include <string.h>

#include "common/show/show.h"
#include "common/warts/trace_hop.h"

#define TCP_RST 0x04
#define TCP_SYN_ACK 0x12
#define TCP_ECE 0x40

struct code_word {
	uint8_t code;
	const char *word; /* without the `!' */
};

/* The word for CODE, NULL if there is none. */
static const char *
code_word(const struct code_word *w, uint8_t code)
{
	for (; w->word != NULL; w++) {
		if (w->code == code)
			return w->word;
	}
	return NULL;
}

static void
text_icmp4(struct wbuf *out, const struct warts_hop *h)
{
	static const struct code_word words[] = {{0, "N"}, {1, "H"}, {2, "P"},
	    {3, ""}, {4, "F"}, {5, "S"}, {6, "N"}, {7, "H"}, {11, "N"},
	    {12, "H"}, {13, "X"}, {0, NULL}};
	const char *word;

	if (h->icmp_type == 11 || h->icmp_type == 0)
		return;
	if (h->icmp_type != 3) {
		wbuf_printf(out, " !<%d,%d>", h->icmp_type, h->icmp_code);
		return;
	}
	word = code_word(words, h->icmp_code);
	if (word == NULL)
		wbuf_printf(out, " !<%d>", h->icmp_code);
	else if (*word != '\0')
		wbuf_printf(out, " !%s", word);
}

static void
text_icmp6(struct wbuf *out, const struct warts_hop *h)
{
	static const struct code_word words[] = {
	    {0, "N"}, {1, "P"}, {2, "S"}, {3, "A"}, {4, ""}, {0, NULL}};
	const char *word;

	if (h->icmp_type == 3 || h->icmp_type == 129)
		return;
	if (h->icmp_type == 2) {
		wbuf_printf(out, " !F");
		return;
	}
	if (h->icmp_type != 1) {
		wbuf_printf(out, " !<%d,%d>", h->icmp_type, h->icmp_code);
		return;
	}
	word = code_word(words, h->icmp_code);
	if (word == NULL)
		wbuf_printf(out, " !<%d>", h->icmp_code);
	else if (*word != '\0')
		wbuf_printf(out, " !%s", word);
}

static void
text_tcp(struct wbuf *out, const struct warts_hop *h)
{
	if (h->tcp_flags & TCP_RST)
		wbuf_printf(out, " [closed]");
	else if ((h->tcp_flags & TCP_SYN_ACK) != TCP_SYN_ACK)
		wbuf_printf(out, " [unknown, 0x%02x]", h->tcp_flags);
	else if (h->tcp_flags & TCP_ECE)
		wbuf_printf(out, " [open, ecn]");
	else
		wbuf_printf(out, " [open]");
}

static void
text_reply(struct wbuf *out, const struct warts_hop *h)
{
	wbuf_printf(out, "  %u.%03u ms", h->rtt_us / 1000, h->rtt_us % 1000);
	if (h->flags & WARTS_HOP_TCP)
		text_tcp(out, h);
	else if (h->flags & WARTS_HOP_UDP)
		return;
	else if (h->addr.family == ADDR_IPV4)
		text_icmp4(out, h);
	else
		text_icmp6(out, h);
}

/* The replies of TTL begin at I; returns the index behind them. */
static size_t
text_ttl(struct wbuf *out, const struct warts_trace *t, size_t i, int ttl)
{
	const struct addr *last = NULL;
	char a[ADDR_STRLEN];
	int stars = t->flags & WARTS_TRACE_ALLATTEMPTS ? t->attempts : 1;

	wbuf_printf(out, "%2d", ttl);
	for (; i < t->nhops && t->hops[i].probe_ttl == ttl; i++) {
		const struct warts_hop *h = &t->hops[i];

		if (last == NULL || !addr_equal(last, &h->addr))
			wbuf_printf(out, "  %s", addr_str(&h->addr, a));
		last = &h->addr;
		text_reply(out, h);
	}
	for (int n = 0; last == NULL && n < stars; n++)
		wbuf_printf(out, n == 0 ? "  *" : " *");
	wbuf_printf(out, "\n");
	return i;
}

void
show_text_trace(struct wbuf *out, const struct warts_trace *t)
{
	char a[ADDR_STRLEN];
	size_t i = 0;

	wbuf_printf(out, "traceroute");
	if (t->src.family != ADDR_NONE)
		wbuf_printf(out, " from %s", addr_str(&t->src, a));
	wbuf_printf(out, " to %s", addr_str(&t->dst, a));
	if (t->rtr.family != ADDR_NONE)
		wbuf_printf(out, " via %s", addr_str(&t->rtr, a));
	wbuf_printf(out, "\n");
	for (int ttl = 1; ttl <= show_hop_count(t); ttl++)
		i = text_ttl(out, t, i, ttl);
}
