/*
 * show/ping: pings as text, and what is counted of them (contract: show.h).
 *
 *	ping from SRC to DST: SIZE byte packets
 *	SIZE bytes from ADDR, seq=N [tcp=STATE] ttl=N time=MS ms [tso= ...]
 *	 RR: addresses | TS: stamps
 *	--- DST ping statistics ---
 *
 * Means and deviations are in whole microseconds at every step: that is how
 * scamper's tools come to their last digit.
 */
#include <math.h>
#include <stddef.h>

#include "common/show/show.h"
#include "common/warts/record.h"

#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_ECE 0x40

/* Is R an answer, or an ICMP message that something went wrong?  To UDP the
 * port unreachable is the answer (RFC 792, 4443). */
static int
is_error(const struct warts_ping *p, const struct warts_ping_reply *r)
{
	int v4 = r->addr.family == ADDR_IPV4;

	if (!warts_reply_is_icmp(r))
		return 0;
	if (warts_ping_is_icmp(p->method))
		return v4 ? r->icmp_type != 0 && r->icmp_type != 14
			  : r->icmp_type != 129;
	if (warts_ping_is_udp(p->method))
		return v4 ? r->icmp_type != 3 || r->icmp_code != 3
			  : r->icmp_type != 1 || r->icmp_code != 4;
	return 1;
}

static void
spread(struct show_ping_stats *st, const struct warts_ping *p, int skip_errors)
{
	uint64_t sum_us = 0, n = (uint64_t)st->replies + st->dups;
	double squares = 0; /* whole ones, exact below 2^53 */

	if (n == 0)
		return;
	st->min_us = UINT32_MAX;
	for (int i = 0; i < p->nreplies; i++) {
		uint32_t us = p->replies[i].rtt_us;

		if (skip_errors && is_error(p, &p->replies[i]))
			continue;
		sum_us += us;
		st->min_us = us < st->min_us ? us : st->min_us;
		st->max_us = us > st->max_us ? us : st->max_us;
	}
	st->avg_us = (uint32_t)(sum_us / n);
	for (int i = 0; i < p->nreplies; i++) {
		double off = (double)p->replies[i].rtt_us - st->avg_us;

		if (!skip_errors || !is_error(p, &p->replies[i]))
			squares += off * off;
	}
	st->stddev_us = (uint32_t)sqrt(squares / (double)n);
}

struct show_ping_stats
show_ping_stats(const struct warts_ping *p, enum show_generation generation)
{
	struct show_ping_stats st = {0, 0, 0, 0, 0, 0, 0};
	int skip_errors = generation == SHOW_2026;
	int last = -1;

	for (int i = 0; i < p->nreplies; i++) {
		const struct warts_ping_reply *r = &p->replies[i];

		if (skip_errors && is_error(p, r)) {
			st.errors++;
			continue;
		}
		if (r->probe == last)
			st.dups++;
		else
			st.replies++;
		last = r->probe;
	}
	spread(&st, p, skip_errors);
	return st;
}

/* --- text ----------------------------------------------------------------- */

static void
text_tcp(struct wbuf *out, uint8_t flags)
{
	if (flags & TCP_RST)
		wbuf_printf(out, " tcp=closed");
	else if ((flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK))
		wbuf_printf(out, " tcp=0x%x", flags);
	else if (flags & TCP_ECE)
		wbuf_printf(out, " tcp=open,ecn");
	else
		wbuf_printf(out, " tcp=open");
}

/* Milliseconds since midnight. */
static void
text_time(struct wbuf *out, const char *key, uint32_t ms)
{
	wbuf_printf(out, " %s=%02u:%02u:%02u.%03u", key, ms / 3600000,
	    ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
}

static void
text_options(struct wbuf *out, const struct warts_ping_reply *r)
{
	const char *head = " RR: ";
	char a[ADDR_STRLEN];

	for (int i = 0; i < r->rr.count; i++, head = "     ")
		wbuf_printf(out, "%s%s\n", head, addr_str(&r->rr.addr[i], a));
	head = " TS: ";
	for (int i = 0; i < r->ts.count; i++, head = "     ") {
		wbuf_printf(out, "%s", head);
		if (r->ts.addr_count != 0)
			wbuf_printf(out, "%-15s ", addr_str(&r->ts.addr[i], a));
		wbuf_printf(out, "%u\n", r->ts.stamp_ms[i]);
	}
}

static void
text_reply(struct wbuf *out, const struct warts_ping_reply *r)
{
	char a[ADDR_STRLEN];

	wbuf_printf(out, "%u bytes from %s, seq=%u", r->reply_size,
	    addr_str(&r->addr, a), r->probe);
	if (r->protocol == 6)
		text_tcp(out, r->tcp_flags);
	if (r->flags & WARTS_REPLY_TTL)
		wbuf_printf(out, " ttl=%u", r->reply_ttl);
	wbuf_printf(
	    out, " time=%u.%03u ms", r->rtt_us / 1000, r->rtt_us % 1000);
	if (r->has_icmp_ts) {
		text_time(out, "tso", r->icmp_ts[0]);
		text_time(out, "tsr", r->icmp_ts[1]);
		text_time(out, "tst", r->icmp_ts[2]);
	}
	wbuf_printf(out, "\n");
	text_options(out, r);
}

static void
text_ms(struct wbuf *out, char before, uint32_t us)
{
	wbuf_printf(out, "%c%u.%03u", before, us / 1000, us % 1000);
}

void
show_text_ping(struct wbuf *out, enum show_generation generation,
    const struct warts_ping *p)
{
	struct show_ping_stats st = show_ping_stats(p, generation);
	uint32_t lost = p->ping_sent - st.replies;
	char a[ADDR_STRLEN];

	wbuf_printf(out, "ping");
	if (p->src.family != ADDR_NONE)
		wbuf_printf(out, "%s %s",
		    generation == SHOW_2026 ? " from" : "",
		    addr_str(&p->src, a));
	wbuf_printf(out, " to %s: %u byte packets\n", addr_str(&p->dst, a),
	    p->probe_size);
	for (int i = 0; i < p->nreplies; i++)
		text_reply(out, &p->replies[i]);
	wbuf_printf(out, "--- %s ping statistics ---\n", a);
	wbuf_printf(out, "%u packets transmitted, %u packets received",
	    p->ping_sent, st.replies);
	if (st.dups != 0)
		wbuf_printf(out, ", +%u duplicates", st.dups);
	if (st.errors != 0)
		wbuf_printf(out, ", +%u errors", st.errors);
	wbuf_printf(out, ", %u%% packet loss\n",
	    p->ping_sent != 0 ? lost * 100 / p->ping_sent : 0);
	if (st.replies + st.dups == 0)
		return;
	wbuf_printf(out, "round-trip min/avg/max/stddev =");
	text_ms(out, ' ', st.min_us);
	text_ms(out, '/', st.avg_us);
	text_ms(out, '/', st.max_us);
	text_ms(out, '/', st.stddev_us);
	wbuf_printf(out, " ms\n");
}
