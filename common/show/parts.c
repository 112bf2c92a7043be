#include "common/show/parts.h"

#include <stddef.h>
#include <time.h>

void
parts_tv(struct json *j, const char *key, const char *inner, struct warts_tv t)
{
	const char *sep = j->sep;

	json_open(j, key, '{');
	j->sep = inner;
	json_u32(j, "sec", t.sec);
	json_u32(j, "usec", t.usec);
	j->sep = sep;
	json_close(j, '}');
}

void
parts_start(struct json *j, struct warts_tv t)
{
	time_t sec = (time_t)t.sec;
	struct tm tm;
	char ftime[32];

	localtime_r(&sec, &tm);
	strftime(ftime, sizeof(ftime), "%Y-%m-%d %H:%M:%S", &tm);
	json_open(j, "start", '{');
	json_u32(j, "sec", t.sec);
	json_u32(j, "usec", t.usec);
	json_str(j, "ftime", ftime);
	json_close(j, '}');
}

static void
mpls_labels(struct json *j, const struct warts_ext *e)
{
	json_open(j, "mpls_labels", '[');
	for (size_t i = 0; i + 4 <= e->len; i += 4) {
		const uint8_t *p = e->data + i;

		json_open(j, NULL, '{');
		json_u32(j, "mpls_ttl", p[3]);
		json_u32(j, "mpls_s", p[2] & 1);
		json_u32(j, "mpls_exp", p[2] >> 1 & 7);
		json_u32(j, "mpls_label",
		    (uint32_t)p[0] << 12 | (uint32_t)p[1] << 4 | p[2] >> 4);
		json_close(j, '}');
	}
	json_close(j, ']');
}

void
parts_extensions(struct json *j, const struct warts_exts *x)
{
	const char *sep = j->sep;

	if (x->count == 0)
		return;
	json_open(j, "icmpext", '[');
	j->sep = ",";
	for (int i = 0; i < x->count; i++) {
		const struct warts_ext *e = &x->ext[i];

		json_open(j, NULL, '{');
		json_u32(j, "ie_cn", e->class_num);
		json_u32(j, "ie_ct", e->class_type);
		json_u32(j, "ie_dl", e->len);
		if (e->class_num == 1 && e->class_type == 1)
			mpls_labels(j, e);
		json_close(j, '}');
	}
	json_close(j, ']');
	j->sep = sep;
}
