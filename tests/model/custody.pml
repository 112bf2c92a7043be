/*
 * custody: how a record gets from the Prober to the archive, exactly once, as a
 * model.  All interleavings of the programs, with kills, power cuts and cut
 * connections, of three records in one to three segments.
 *
 *	writer ─► open ─rename─► sealed ─get─► part ─rename─► whole ─► archive
 *	                            └────────── commit ◄────────┘
 *
 * A set of records is a mask; that of a segment, with its tail, is also its
 * hash.  What a disk holds is there twice: _v as processes see it (a kill leaves
 * it alone), _d as a power cut finds it at least; it may find any part of what
 * differs.
 *
 * Promised: each record is in the archive in the end, once; except those of the
 * open segment that a power cut took from the monitor before they were synced.
 * In the end means: when there is nothing left that any program could do.
 *
 *	spin -a [-DRULE] custody.pml && cc -O2 -w -DSAFETY -DNOREDUCE -o pan pan.c && ./pan
 *
 * RULE leaves one rule of the design out (model.test has the list); then there
 * is a loss, a duplicate or a standstill.
 *
 * Not here: damage, full disks, who is who.
 */
#define ALL 7 /* three records */
#define SEGMENTS 4 /* numbers 1 to 3 */
#define TAIL_MARK 64
#define LOST 128 /* not what was written */
#define is_good(hash) ((hash & TAIL_MARK) && !(hash & LOST))

#ifndef KILLS
#define KILLS 2
#endif
#ifndef POWER
#define POWER 1
#endif
#ifndef CUTS
#define CUTS 1
#endif

byte kills = KILLS, power = POWER, cuts = CUTS;
byte made, excused; /* masks: written by the Prober; lost in good order */

/* The monitor's disk. */
byte next_v = 1, next_d = 1; /* state/next */
byte open_n, open_v, open_d; /* N.open: its number (0: none), what is in it */
byte seg_v[SEGMENTS], seg_d[SEGMENTS]; /* what is in N.warts */
bool sealed_v[SEGMENTS], sealed_d[SEGMENTS]; /* is there an N.warts */
byte renamed; /* from N.open since the directory was synced */

/* The centre's disk. */
byte half[SEGMENTS]; /* N.part: the segment that its first bytes are of */
bool synced[SEGMENTS]; /* N.part, and so N.warts */
byte whole_v[SEGMENTS], whole_d[SEGMENTS]; /* N.warts: what is in it */
byte filed_v, filed_d;
byte archive_v, archive_d;
byte ledger_v[SEGMENTS], ledger_d[SEGMENTS];
byte journal_v, journal_d; /* for which segment */
byte before; /* what it says the archive was */

/* The programs, and what they hold in memory. */
mtype = { START, RUN, TAIL, FSYNC, COUNTER, COUNTER_SYNC, RENAME, RENAME_SYNC,
	GET, REST, PART_SYNC, PART_RENAME, PART_DIR, COMMIT,
	JOURNAL, JOURNAL_SYNC, APPEND, TARGETS, FILED, FILED_SYNC, REMOVE,
	FORGET };
mtype writer = START, client = START, sorter = START;
byte c_n, c_hash; /* the client's segment */
bool conflict[SEGMENTS]; /* told the operator; left alone */
byte s_n, s_rest; /* the sorter's; records not yet appended */
byte i;

inline spool_sync()
{
	sealed_d[renamed] = sealed_v[renamed];
	renamed = 0
}

inline keep_or_lose(v, d)
{
	if
	:: v != d -> v = d
	:: d = v
	fi
}

/* --- the monitor loses power ------------------------------------------------ */

inline power_monitor()
{
	/* The last rename may not have reached the disk. */
	if
	:: renamed != 0 ->
		open_n = renamed;
		open_v = seg_v[renamed];
		open_d = seg_d[renamed];
		sealed_v[renamed] = false
	:: sealed_d[renamed] = sealed_v[renamed]
	fi;
	renamed = 0;
	if
	:: excused = excused | (open_v & ~open_d & ALL); open_v = open_d
	:: open_d = open_v
	fi;
	keep_or_lose(next_v, next_d);
	i = 1;
	do
	:: i < SEGMENTS ->
		if
		:: seg_v[i] != seg_d[i] ->
			seg_v[i] = seg_v[i] | LOST; seg_d[i] = seg_v[i]
		:: seg_d[i] = seg_v[i]
		fi;
		keep_or_lose(sealed_v[i], sealed_d[i]);
		i++
	:: else -> break
	od;
	i = 0;
	writer = START;
	client = START /* its connection */
}

/* --- the central host loses power -------------------------------------------- */

inline power_centre()
{
	/* Of what was appended and not synced, any part is there. */
	if :: archive_v = archive_v & (archive_d | 6) :: skip fi;
	if :: archive_v = archive_v & (archive_d | 5) :: skip fi;
	if :: archive_v = archive_v & (archive_d | 3) :: skip fi;
	archive_d = archive_v;
	keep_or_lose(journal_v, journal_d);
	keep_or_lose(filed_v, filed_d);
	i = 1;
	do
	:: i < SEGMENTS ->
		keep_or_lose(ledger_v[i], ledger_d[i]);
		keep_or_lose(whole_v[i], whole_d[i]);
		if
		:: whole_v[i] != 0 && !synced[i] ->
			whole_v[i] = whole_v[i] | LOST; whole_d[i] = whole_v[i]
		:: half[i] = 0
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	client = START;
	sorter = START
}

/* --- steps with choices of their own ------------------------------------------ */

/* What recovery does with what a predecessor left. */
inline writer_start()
{
#ifndef NO_NEXT_SYNC
	next_d = next_v;
#endif
	if
	:: open_n != 0 && (open_v & ALL) == 0 ->
		open_n = 0; open_v = 0; open_d = 0; writer = RUN
	:: open_n != 0 && (open_v & ALL) != 0 -> writer = TAIL
	:: else -> writer = RUN
	fi
}

/* Segment N is offered: is it needed? */
inline look(n)
{
	c_n = n;
	spool_sync();
	if
	:: !(seg_v[n] & LOST) -> seg_d[n] = seg_v[n]
	:: else
	fi;
	c_hash = seg_v[n];
	if
	:: !is_good(c_hash) -> conflict[n] = true /* refused: in bad/ */
	:: else ->
		if
#ifdef LEDGER_FIRST
		:: n <= filed_v && ledger_v[n] == c_hash -> client = COMMIT
		:: n > filed_v && whole_v[n] == c_hash ->
#else
		:: whole_v[n] == 0 && n <= filed_v && ledger_v[n] == c_hash ->
			client = COMMIT
		:: whole_v[n] == c_hash ->
#endif
#ifdef NO_LOOK_SYNC
			client = COMMIT
#else
			client = PART_DIR
#endif
		:: n > filed_v && whole_v[n] == 0 -> client = GET
		:: else -> conflict[n] = true
		fi
	fi
}

inline sorter_start()
{
#ifndef NO_FILED_SYNC
	filed_d = filed_v;
#endif
	if
	:: journal_v > filed_v ->
#ifndef NO_UNDO
		archive_v = before;
		archive_d = before;
		ledger_v[journal_v] = 0;
		ledger_d[journal_v] = 0;
#endif
		skip
	:: else
	fi;
	journal_v = 0;
	journal_d = 0;
	i = 1;
	do
	:: i <= filed_v -> whole_v[i] = 0; i++
	:: else -> break
	od;
	i = 0;
	sorter = RUN
}

inline append()
{
	if
	:: s_rest & 1 -> i = 1
	:: !(s_rest & 1) && (s_rest & 2) -> i = 2
	:: else -> i = s_rest
	fi;
	assert(!(archive_v & i)); /* twice */
	archive_v = archive_v | i;
	s_rest = s_rest & ~i;
	i = 0;
	if
	:: s_rest == 0 -> ledger_v[s_n] = whole_v[s_n]; sorter = TARGETS
	:: else
	fi
}

/* --- everybody ------------------------------------------------------------------ */

active proctype world()
{
	do
	/* the writer: records and seals */
	:: atomic { writer == START -> writer_start() }
	:: atomic { writer == RUN && open_n == 0 && made != ALL ->
		open_n = next_v; spool_sync() }
	:: atomic { writer == RUN && open_n != 0 && made != ALL ->
		open_v = open_v | (made + 1); made = made * 2 + 1 }
	:: atomic { writer == RUN && (open_v & ALL) -> writer = TAIL }
	:: atomic { writer == TAIL -> open_v = open_v | TAIL_MARK;
		writer = FSYNC }
	:: atomic { writer == FSYNC ->
#ifndef NO_SEGMENT_FSYNC
		open_d = open_v;
#endif
#ifdef COUNTER_LATE
		writer = RENAME
#else
		writer = COUNTER
#endif
		}
	:: atomic { writer == COUNTER ->
#ifdef COUNTER_LATE
		next_v = renamed + 1;
		writer = COUNTER_SYNC
#else
		if
		:: next_v <= open_n -> next_v = open_n + 1;
			writer = COUNTER_SYNC
		:: else -> writer = RENAME /* a predecessor did it */
		fi
#endif
		}
	:: atomic { writer == COUNTER_SYNC -> next_d = next_v;
#ifdef COUNTER_LATE
		writer = RENAME_SYNC
#else
		writer = RENAME
#endif
		}
	:: atomic { writer == RENAME ->
		sealed_v[open_n] = true;
		seg_v[open_n] = open_v;
		seg_d[open_n] = open_d;
		renamed = open_n;
		open_n = 0; open_v = 0; open_d = 0;
#ifdef COUNTER_LATE
		writer = COUNTER
#else
		writer = RENAME_SYNC
#endif
		}
	:: atomic { writer == RENAME_SYNC -> spool_sync(); writer = RUN }

	/* the client, with the data server at its other end */
	:: atomic { client == START && sealed_v[1] && !conflict[1] -> look(1) }
	:: atomic { client == START && sealed_v[2] && !conflict[2] -> look(2) }
	:: atomic { client == START && sealed_v[3] && !conflict[3] -> look(3) }
	:: atomic { client == GET ->
		if
		:: half[c_n] == 0 -> half[c_n] = c_hash; synced[c_n] = false
		:: else
		fi;
		client = REST }
	:: atomic { client == REST ->
		if
		:: half[c_n] == c_hash ->
#ifdef COMMIT_EARLY
			client = COMMIT
#else
			client = PART_SYNC
#endif
		:: else -> half[c_n] = 0; client = GET
		fi }
	:: atomic { client == PART_SYNC ->
#ifndef NO_PART_FSYNC
		synced[c_n] = true;
#endif
		client = PART_RENAME }
	:: atomic { client == PART_RENAME -> whole_v[c_n] = c_hash;
		half[c_n] = 0; client = PART_DIR }
	:: atomic { client == PART_DIR ->
#ifndef NO_PART_DIR_FSYNC
		whole_d[c_n] = whole_v[c_n];
#endif
#ifdef COMMIT_EARLY
		client = START
#else
		client = COMMIT
#endif
		}
	:: atomic { client == COMMIT ->
		if
		:: seg_v[c_n] == c_hash -> sealed_v[c_n] = false
		:: else
		fi;
#ifdef COMMIT_EARLY
		if
		:: half[c_n] == c_hash -> client = PART_SYNC
		:: else -> client = START
		fi
#else
		client = START
#endif
		}

	/* the sorter */
	:: atomic { sorter == START -> sorter_start() }
	:: atomic { sorter == RUN && filed_v < SEGMENTS - 1 &&
		is_good(whole_v[filed_v + 1]) ->
		s_n = filed_v + 1;
		s_rest = whole_v[s_n] & ALL;
		sorter = JOURNAL }
	:: atomic { sorter == RUN && filed_v < SEGMENTS - 1 &&
		(whole_v[filed_v + 1] & LOST) -> /* N.damaged */
		whole_v[filed_v + 1] = 0; whole_d[filed_v + 1] = 0 }
	:: atomic { sorter == JOURNAL ->
#ifndef NO_JOURNAL
		journal_v = s_n;
		before = archive_v;
#endif
		sorter = JOURNAL_SYNC }
	:: atomic { sorter == JOURNAL_SYNC ->
#ifndef NO_JOURNAL_FSYNC
		journal_d = journal_v;
#endif
		sorter = APPEND }
	:: atomic { sorter == APPEND -> append() }
	:: atomic { sorter == TARGETS ->
#ifndef NO_TARGET_FSYNC
		archive_d = archive_v;
		ledger_d[s_n] = ledger_v[s_n];
#endif
#ifdef REMOVE_EARLY
		sorter = REMOVE
#else
		sorter = FILED
#endif
		}
	:: atomic { sorter == FILED -> filed_v = s_n; sorter = FILED_SYNC }
	:: atomic { sorter == FILED_SYNC -> filed_d = filed_v;
#ifdef REMOVE_EARLY
		sorter = FORGET
#else
		sorter = REMOVE
#endif
		}
	:: atomic { sorter == REMOVE -> whole_v[s_n] = 0;
#ifdef REMOVE_EARLY
		sorter = FILED
#else
		sorter = FORGET
#endif
		}
	:: atomic { sorter == FORGET -> journal_v = 0; s_n = 0; sorter = RUN }

	/* what may happen to them */
	:: atomic { kills > 0 && writer != START -> kills--; writer = START }
	:: atomic { kills > 0 && client != START -> kills--; client = START }
	:: atomic { kills > 0 && sorter != START -> kills--; sorter = START;
		s_n = 0; s_rest = 0 }
	:: atomic { cuts > 0 && client != START -> cuts--; client = START }
	:: atomic { power > 0 -> power--; power_monitor() }
	:: atomic { power > 0 -> power--; power_centre(); s_n = 0; s_rest = 0 }

	/* nobody can do anything any more */
	:: else -> break
	od;
	assert(made == ALL && ((archive_v | excused) & ALL) == ALL)
}
