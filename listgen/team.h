/*
 * team: which member of a team measures a unit of a cycle.
 *
 * The members work on one list in one cycle.  Each computes by itself, from
 * the same options, who has which unit: the member whose hash with the unit's
 * key is the greatest (rendezvous hashing; Thaler and Ravishankar, 1998).  So
 * shares are disjoint and together complete, about equally large, and when a
 * member is taken out only its units change hands, in equal parts.
 *
 *	unit's key    member 1   member 2   member 3
 *	7f31...          91         12         55      -> 1
 *	02aa...          17         88         86      -> 2; without 2: -> 3
 *
 * Who lives is a set with the cycle from which on it holds; so all members
 * change at the same cycle whenever the news reaches them.  What a member that
 * died within a cycle has left is a take.
 */
#ifndef LISTGEN_TEAM_H
#define LISTGEN_TEAM_H

#include <stdint.h>

#define TEAM_MAX 256 /* members */
#define TEAM_SETS_MAX 16
#define TEAM_TAKES_MAX 16
#define TEAM_HEX_LEN (TEAM_MAX / 4 + 1) /* of a set as text, with its NUL */

struct team_set {
	uint32_t from; /* cycle */
	uint8_t bits[TEAM_MAX / 8]; /* bit I: member I + 1 lives */
};

/* In CYCLE, MEMBER went no further than its target number NUMBER. */
struct team_take {
	uint32_t cycle, member;
	uint64_t number;
};

struct team {
	uint32_t self, n; /* 1..n; n 0: no team */
	int nsets, ntakes;
	struct team_set sets[TEAM_SETS_MAX];
	struct team_take takes[TEAM_TAKES_MAX];
};

/* "I/N".  These return NULL, or a static reason. */
const char *team_parse_share(struct team *t, const char *text);

/* "I,K,...[@CYCLE]": who lives from CYCLE on, or always. */
const char *team_parse_members(struct team *t, const char *text);

/* "CYCLE:MEMBER:NUMBER". */
const char *team_parse_take(struct team *t, const char *text);

/* Do the options fit each other? */
const char *team_check(const struct team *t);

/* Who lives in CYCLE: the last of the options that speak of it, or all. */
void team_set_at(const struct team *t, uint32_t cycle, struct team_set *out);

/* The owner of the unit with KEY among those of SET, 1..; 0: nobody lives. */
uint32_t
team_owner(const struct team *t, const struct team_set *set, uint64_t key);

/* Take MEMBER out of SET. */
void team_without(struct team_set *set, uint32_t member);

/* Does MEMBER live? */
int team_has(const struct team_set *set, uint32_t member);

/* SET's members as text in BUF of TEAM_HEX_LEN bytes, and back: 0, or -1 with
 * SET untouched. */
void team_to_hex(const struct team_set *set, char *buf);
int team_from_hex(const char *text, struct team_set *set);

#endif
