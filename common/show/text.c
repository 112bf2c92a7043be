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

/* RFC 9293, 3168 */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

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

/* An unreachable's CODE: its letter, none if it says nothing, or its number. */
static void
text_unreachable(struct wbuf *out, const struct code_word *words, uint8_t code)
{
	const char *word = code_word(words, code);

	if (word == NULL)
		wbuf_printf(out, " !<%d>", code);
	else if (*word != '\0')
		wbuf_printf(out, " !%s", word);
}

static void
text_icmp4(struct wbuf *out, const struct warts_hop *h)
{
	static const struct code_word words[] = {{0, "N"}, {1, "H"}, {2, "P"},
	    {3, ""}, {4, "F"}, {5, "S"}, {13, "X"}, {0, NULL}};

	if (h->icmp_type == 11 || h->icmp_type == 0)
		return;
	if (h->icmp_type != 3) {
		wbuf_printf(out, " !<%d,%d>", h->icmp_type, h->icmp_code);
		return;
	}
	text_unreachable(out, words, h->icmp_code);
}

static void
text_icmp6(struct wbuf *out, const struct warts_hop *h)
{
	static const struct code_word words[] = {
	    {0, "N"}, {1, "P"}, {2, "S"}, {3, "A"}, {4, ""}, {0, NULL}};

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
	text_unreachable(out, words, h->icmp_code);
}

static void
text_tcp(struct wbuf *out, const struct warts_hop *h)
{
	static const struct code_word flags[] = {{TCP_SYN, "SYN"},
	    {TCP_ACK, "ACK"}, {TCP_PSH, "PSH"}, {TCP_FIN, "FIN"},
	    {TCP_URG, "URG"}, {TCP_CWR, "CWR"}, {TCP_ECE, "ECE"}, {0, NULL}};

	if (h->tcp_flags & TCP_RST) {
		wbuf_printf(out, " [closed]");
		return;
	}
	if ((h->tcp_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		wbuf_printf(
		    out, " [open%s]", h->tcp_flags & TCP_ECE ? ", ecn" : "");
		return;
	}
	wbuf_printf(
	    out, h->tcp_flags == 0 ? " [unknown, no flags" : " [unknown,");
	for (int i = 0; flags[i].word != NULL; i++) {
		if (h->tcp_flags & flags[i].code)
			wbuf_printf(out, " %s", flags[i].word);
	}
	wbuf_printf(out, "]");
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

/*
 * Where on the path the MTU changes, and to what: one per note of path MTU
 * discovery, in their order; the first is the way out.
 */
struct leg {
	int dist; /* the last ttl that this MTU reaches */
	uint16_t mtu;
	int inferred; /* nobody said so: a search found it */
	const struct warts_hop *ptb; /* says that the next MTU is smaller */
	uint16_t next_mtu;
};

struct legs {
	struct leg leg[UINT8_MAX + 1];
	int n; /* 0: no path MTU discovery */
	int at; /* the leg of the ttl being printed */
};

static void
legs_make(struct legs *l, const struct warts_trace *t)
{
	const struct warts_pmtud *p = t->pmtud;
	int from = 0;

	l->n = l->at = 0;
	if (p == NULL)
		return;
	/* A way out that is narrower than its interface was found by silence
	 * from the start on, and the first note says just that. */
	l->leg[l->n++] = (struct leg){
	    .mtu = p->out_mtu != 0 ? p->out_mtu : p->if_mtu,
	    .inferred = p->out_mtu != 0,
	    .dist = 256,
	};
	for (int i = p->out_mtu != 0; i < p->note_count; i++) {
		const struct warts_pmtud_note *note = &p->notes[i];
		struct leg *last = &l->leg[l->n - 1];

		from = last->dist = show_note_distance(t, note, from + 1);
		if (note->type != WARTS_NOTE_SILENCE && note->has_hop)
			last->ptb = &p->hops[note->hop];
		last->next_mtu = note->nhmtu;
		l->leg[l->n++] = (struct leg){.mtu = note->nhmtu,
		    .inferred = note->type != WARTS_NOTE_PTB,
		    .dist = 256};
	}
}

/* What path MTU discovery says of TTL, whose last reply came from A (NULL:
 * none). */
static void
text_mtu(struct wbuf *out, struct legs *l, int ttl, const struct addr *a)
{
	const struct leg *leg;
	char buf[ADDR_STRLEN];
	int changes;

	while (l->at + 1 < l->n && l->leg[l->at].dist < ttl)
		l->at++;
	if (l->n == 0)
		return;
	leg = &l->leg[l->at];
	changes = leg->ptb != NULL && leg->dist == ttl;
	if (a == NULL && !changes)
		return;
	wbuf_printf(out, " [%smtu: %u]", leg->inferred ? "*" : "", leg->mtu);
	if (!changes)
		return;
	if (a == NULL || !addr_equal(a, &leg->ptb->addr))
		wbuf_printf(out, " ptb %s", addr_str(&leg->ptb->addr, buf));
	if (leg->ptb->nhmtu != leg->next_mtu)
		wbuf_printf(out, " nhmtu %u!", leg->ptb->nhmtu);
}

/* The replies of one ttl: N hops from FIRST on; N may be 0. */
static void
text_ttl(struct wbuf *out, const struct warts_trace *t, size_t first, size_t n)
{
	int stars = t->flags & WARTS_TRACE_ALLATTEMPTS ? t->attempts : 1;
	const struct addr *last = NULL;
	char a[ADDR_STRLEN];

	for (size_t i = first; i < first + n; i++) {
		const struct warts_hop *h = &t->hops[i];

		if (last == NULL || !addr_equal(last, &h->addr))
			wbuf_printf(out, "  %s", addr_str(&h->addr, a));
		last = &h->addr;
		text_reply(out, h);
	}
	if (n != 0)
		return;
	wbuf_printf(out, " ");
	for (int i = 0; i < stars; i++)
		wbuf_printf(out, " *");
}

/* How many hops from I on have TTL. */
static size_t
hops_of_ttl(const struct warts_trace *t, size_t i, int ttl)
{
	size_t n = 0;

	while (i + n < t->nhops && t->hops[i + n].probe_ttl == ttl)
		n++;
	return n;
}

void
show_text_trace(struct wbuf *out, const struct warts_trace *t)
{
	char a[ADDR_STRLEN];
	struct legs legs;
	size_t i = 0;

	wbuf_printf(out, "traceroute");
	if (t->src.family != ADDR_NONE)
		wbuf_printf(out, " from %s", addr_str(&t->src, a));
	wbuf_printf(out, " to %s", addr_str(&t->dst, a));
	if (t->rtr.family != ADDR_NONE)
		wbuf_printf(out, " via %s", addr_str(&t->rtr, a));
	wbuf_printf(out, "\n");
	legs_make(&legs, t);
	for (int ttl = 1; ttl <= show_hop_count(t); ttl++) {
		size_t n = hops_of_ttl(t, i, ttl);

		wbuf_printf(out, "%2d", ttl);
		text_ttl(out, t, i, n);
		i += n;
		text_mtu(out, &legs, ttl, n != 0 ? &t->hops[i - 1].addr : NULL);
		wbuf_printf(out, "\n");
	}
}
