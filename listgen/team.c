#include "listgen/team.h"

#include <stdio.h>
#include <string.h>

#include "common/scan.h"
#include "listgen/permute.h"

#define TEXT_MAX 1024

const char *
team_parse_share(struct team *t, const char *text)
{
	char buf[32];
	char *slash;

	if (strlen(text) >= sizeof(buf))
		return "a share is I/N";
	strcpy(buf, text);
	slash = strchr(buf, '/');
	if (slash == NULL)
		return "a share is I/N";
	*slash++ = '\0';
	if (scan_u32(slash, 1, TEAM_MAX, &t->n) == -1)
		return "a team has 1 to 256 members";
	if (scan_u32(buf, 1, t->n, &t->self) == -1)
		return "the share is not one of the team's";
	return NULL;
}

static const char *
add_member(struct team_set *set, const char *word)
{
	uint32_t m;

	if (scan_u32(word, 1, TEAM_MAX, &m) == -1)
		return "members are numbers, with commas between them";
	set->bits[(m - 1) / 8] |= (uint8_t)(1 << (m - 1) % 8);
	return NULL;
}

const char *
team_parse_members(struct team *t, const char *text)
{
	struct team_set *set = &t->sets[t->nsets];
	char buf[TEXT_MAX];
	char *at, *word, *next = buf;
	const char *why = NULL;

	if (t->nsets == TEAM_SETS_MAX || strlen(text) >= sizeof(buf))
		return "too many members";
	memset(set, 0, sizeof(*set));
	strcpy(buf, text);
	at = strchr(buf, '@');
	if (at != NULL) {
		*at++ = '\0';
		if (scan_u32(at, 1, UINT32_MAX, &set->from) == -1)
			return "not a cycle behind @";
	}
	while (why == NULL && (word = strsep(&next, ",")) != NULL)
		why = add_member(set, word);
	if (why == NULL)
		t->nsets++;
	return why;
}

const char *
team_parse_take(struct team *t, const char *text)
{
	struct team_take *k = &t->takes[t->ntakes];
	char buf[64];
	char *member, *number;

	if (t->ntakes == TEAM_TAKES_MAX)
		return "too many shares to take over";
	if (strlen(text) >= sizeof(buf))
		return "what is taken over is CYCLE:MEMBER:NUMBER";
	strcpy(buf, text);
	number = buf;
	strsep(&number, ":");
	member = strsep(&number, ":");
	if (number == NULL || scan_u32(buf, 1, UINT32_MAX, &k->cycle) == -1 ||
	    scan_u32(member, 1, TEAM_MAX, &k->member) == -1 ||
	    scan_u64(number, 0, UINT64_MAX, &k->number) == -1)
		return "what is taken over is CYCLE:MEMBER:NUMBER";
	t->ntakes++;
	return NULL;
}

/* Are all of SET members of the team of N? */
static int
fits(const struct team_set *set, uint32_t n)
{
	for (uint32_t m = n + 1; m <= TEAM_MAX; m++) {
		if (team_has(set, m))
			return 0;
	}
	return 1;
}

const char *
team_check(const struct team *t)
{
	if (t->n == 0)
		return t->nsets + t->ntakes == 0
		    ? NULL
		    : "members and what is taken over go with a share, -t";
	for (int i = 0; i < t->nsets; i++) {
		if (!fits(&t->sets[i], t->n))
			return "a member that the team does not have";
	}
	for (int i = 0; i < t->ntakes; i++) {
		if (t->takes[i].member > t->n || t->takes[i].member == t->self)
			return "nothing to take over from that member";
	}
	return NULL;
}

void
team_set_at(const struct team *t, uint32_t cycle, struct team_set *out)
{
	memset(out, 0, sizeof(*out));
	for (uint32_t m = 0; m < t->n; m++)
		out->bits[m / 8] |= (uint8_t)(1 << m % 8);
	for (int i = 0; i < t->nsets; i++) {
		if (t->sets[i].from <= cycle)
			*out = t->sets[i];
	}
}

int
team_has(const struct team_set *set, uint32_t member)
{
	return set->bits[(member - 1) / 8] >> (member - 1) % 8 & 1;
}

void
team_without(struct team_set *set, uint32_t member)
{
	set->bits[(member - 1) / 8] &= (uint8_t) ~(1 << (member - 1) % 8);
}

uint32_t
team_owner(const struct team *t, const struct team_set *set, uint64_t key)
{
	uint32_t best = 0;
	uint64_t most = 0, h;

	for (uint32_t m = 1; m <= t->n; m++) {
		if (!team_has(set, m))
			continue;
		h = permute_mix(key, m);
		if (best == 0 || h > most) {
			best = m;
			most = h;
		}
	}
	return best;
}

void
team_to_hex(const struct team_set *set, char *buf)
{
	for (size_t i = 0; i < sizeof(set->bits); i++)
		snprintf(buf + 2 * i, 3, "%02x", set->bits[i]);
}

static int
digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c != '\0' ? strchr(digits, c) : NULL;

	return at != NULL ? (int)(at - digits) : -1;
}

int
team_from_hex(const char *text, struct team_set *set)
{
	struct team_set out = {0};
	int hi, lo;

	for (size_t i = 0; i < sizeof(out.bits); i++) {
		hi = digit(text[2 * i]);
		lo = hi == -1 ? -1 : digit(text[2 * i + 1]);
		if (lo == -1)
			return -1;
		out.bits[i] = (uint8_t)(hi << 4 | lo);
	}
	*set = out;
	return 0;
}
