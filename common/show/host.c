/*
 * show/host: DNS queries as JSON (contract: more.h).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/show/more.h"
#include "common/show/parts.h"
#include "common/warts/host.h"
#include "common/xmalloc.h"

/* Numbers that have names (IANA, Domain Name System Parameters). */
struct name {
	uint16_t number;
	const char *name; /* NULL ends a table */
};

static const struct name types[] = {{1, "A"}, {2, "NS"}, {5, "CNAME"},
    {6, "SOA"}, {12, "PTR"}, {15, "MX"}, {16, "TXT"}, {28, "AAAA"}, {41, "OPT"},
    {43, "DS"}, {46, "RRSIG"}, {47, "NSEC"}, {48, "DNSKEY"}, {64, "SVCB"},
    {65, "HTTPS"}, {0, NULL}};
static const struct name classes[] = {{1, "IN"}, {3, "CH"}, {0, NULL}};
static const struct name rcodes[] = {{0, "NoError"}, {1, "FormErr"},
    {2, "ServFail"}, {3, "NXDomain"}, {4, "NotImp"}, {5, "Refused"},
    {6, "YXDomain"}, {7, "YXRRSet"}, {8, "NXRRSet"}, {9, "NotAuth"},
    {10, "NotZone"}, {0, NULL}};

static void
named(struct json *j, const char *key, const struct name *table, uint16_t v)
{
	for (; table->name != NULL; table++) {
		if (table->number == v)
			break;
	}
	json_word_or_number(j, key, table->name, v);
}

/* BYTES, which may have no NUL behind them, as a string up to the first. */
static void
text(struct json *j, const struct warts_bytes *bytes)
{
	char *s = xmalloc(bytes->len + (size_t)1);

	memcpy(s, bytes->data, bytes->len);
	s[bytes->len] = '\0';
	json_str(j, NULL, s);
	free(s);
}

static void
rr_texts(struct json *j, const struct warts_host_items *items)
{
	json_u32(j, "strc", items->count);
	json_open(j, "strs", '[');
	for (int i = 0; i < items->count; i++)
		text(j, &items->item[i].data);
	json_close(j, ']');
}

static void
rr_soa(struct json *j, const struct warts_host_data *d)
{
	json_str(j, "mname", d->str != NULL ? d->str : "");
	json_str(j, "rname", d->rname != NULL ? d->rname : "");
	json_u32(j, "serial", d->serial);
	json_u32(j, "refresh", d->refresh_s);
	json_u32(j, "retry", d->retry_s);
	json_u32(j, "expire", d->expire_s);
	json_u32(j, "minimum", d->minimum_s);
}

static void
rr_name(struct json *j, const struct warts_host_rr *r)
{
	const char *key = r->type == 5 ? "cname"
	    : r->type == 12	       ? "ptrdname"
				       : "nsdname";

	json_str(j, key, r->data.str);
}

static void
rr_object(struct json *j, const struct warts_host_rr *r)
{
	const struct warts_host_data *d = &r->data;

	json_open(j, NULL, '{');
	named(j, "class", classes, r->class_num);
	named(j, "type", types, r->type);
	json_u32(j, "ttl", r->ttl_s);
	json_str(j, "name", r->name);
	if (d->kind == WARTS_HOST_ADDR)
		json_addr(j, "address", &d->addr);
	else if (d->kind == WARTS_HOST_STR)
		rr_name(j, r);
	else if (d->kind == WARTS_HOST_SOA)
		rr_soa(j, d);
	else if (d->kind == WARTS_HOST_TXT)
		rr_texts(j, &d->items);
	if (d->kind == WARTS_HOST_MX) {
		json_u32(j, "preference", d->preference);
		json_str(j, "exchange", d->str != NULL ? d->str : "");
	}
	json_close(j, '}');
}

static void
query_object(struct json *j, const struct warts_host_query *q)
{
	static const char *const sections[3] = {"an", "ns", "ar"};
	static const struct json_word flags[] = {{0x08, "RA"}, {0x10, "RD"},
	    {0x20, "TC"}, {0x40, "AA"}, {0x01, "CD"}, {0x02, "AD"}, {0, NULL}};

	json_open(j, NULL, '{');
	json_u32(j, "id", q->id);
	json_u32(j, "ancount", q->nrrs[0]);
	json_u32(j, "nscount", q->nrrs[1]);
	json_u32(j, "arcount", q->nrrs[2]);
	parts_tv(j, "tx", ",", q->tx);
	if (q->rx.sec != 0 || q->rx.usec != 0) {
		parts_tv(j, "rx", ",", q->rx);
		named(j, "rcode", rcodes, q->rcode);
		json_words(j, "flags", q->flags, flags);
	}
	for (int k = 0; k < 3; k++) {
		if (q->nrrs[k] == 0)
			continue;
		json_open(j, sections[k], '[');
		for (int i = 0; i < q->nrrs[k]; i++)
			rr_object(j, &q->rrs[k][i]);
		json_close(j, ']');
	}
	json_close(j, '}');
}

static void
head(struct json *j, const struct warts_host *h)
{
	static const char *const stops[] = {
	    "NONE", "DONE", "TIMEOUT", "HALTED", "ERROR"};
	static const struct json_word flags[] = {
	    {WARTS_HOST_NORECURSE, "norecurse"}, {WARTS_HOST_TCP, "tcp"},
	    {WARTS_HOST_NSID, "nsid"}, {0, NULL}};

	json_str(j, "type", "host");
	json_str(j, "version", "0.1");
	if (h->src.family != ADDR_NONE)
		json_addr(j, "src", &h->src);
	json_addr(j, "dst", &h->dst);
	json_u32(j, "userid", h->user_id);
	parts_tv(j, "start", ",", h->start);
	json_words(j, "flags", h->flags, flags);
	json_u32(j, "wait", h->wait_ms);
	json_u32(j, "retries", h->retries);
	json_word_or_number(
	    j, "stop", PARTS_WORD(stops, h->stop_reason), h->stop_reason);
	if (h->errmsg != NULL)
		json_str(j, "errmsg", h->errmsg);
}

void
show_json_host(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_host *h = record;
	struct json j = {.out = out, .sep = ", "};

	json_open(&j, NULL, '{');
	head(&j, h);
	if (ctx->list != NULL && ctx->list->monitor != NULL)
		json_str(&j, "monitor", ctx->list->monitor);
	json_str(&j, "qname", h->qname != NULL ? h->qname : "");
	named(&j, "qclass", classes, h->qclass);
	named(&j, "qtype", types, h->qtype);
	json_u32(&j, "qcount", h->nqueries);
	if (h->ecs != NULL)
		json_str(&j, "ecs", h->ecs);
	json_open(&j, "queries", '[');
	for (int i = 0; i < h->nqueries; i++)
		query_object(&j, &h->queries[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
