#!/usr/bin/env python3
"""Helper of prober-overlap.test.

    prober_overlap.py make          commands, do-not-probe list, what is asked
    prober_overlap.py watch FILE    look at the books until done.flag is
    prober_overlap.py check PCAP JSON BEGUN
                                    BEGUN: the time before the prober's start

asked.json: for each of the lists its addresses in order; `first': addresses
whose three commands follow each other; `dnp': those not to be probed.
"""
import json
import os
import random
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import pcap

HOLD_S, WAIT_S = 2.5, 1.0  # as in the test
CYCLE = 1700000000
MONITOR = ("198.51.100.2", "2001:db8:1::2")
SLACK_S = 0.06  # what one turn may take


def targets(family, n):
    tool = os.path.join(os.path.dirname(__file__), "../lib/targets.py")
    return subprocess.run([tool, family, str(n)], text=True, check=True,
                          capture_output=True).stdout.split()


def make():
    rng = random.Random("overlap")
    pool = targets("4", 700) + targets("6", 500)
    rng.shuffle(pool)
    first, dnp, rest = pool[:150], pool[150:250], pool[250:]
    lists = {
        1: first + rest[:700] + rest[:40] + dnp,  # an address twice in one
        2: first + rest[250:] + dnp[:60],
        3: first + rest[400:600],
    }
    streams = {n: lists[n][len(first):] for n in lists}
    for s in streams.values():
        rng.shuffle(s)
    with open("commands", "w") as f:
        for n, probe in ((1, "trace -w 1 -g 2"),
                         (2, "trace -w 1 -q 1 -g 3 -P icmp-paris"),
                         (3, "trace -w 1 -g 2 -P udp -Q")):
            f.write("begin %d %d name=list-%d probe %s\n" % (
                n, CYCLE, n, probe))
        for a in first:
            for n in lists:
                f.write("ip %s %d %d\n" % (a, n, CYCLE))
        while any(streams.values()):
            n = rng.choice([n for n in streams if streams[n]])
            f.write("ip %s %d %d\n" % (streams[n].pop(), n, CYCLE))
        for n in lists:
            f.write("end %d %d\n" % (n, CYCLE))
    with open("dnp", "w") as f:
        # Half of them as prefixes of their own neighbourhood.
        for a in dnp:
            f.write(a + "\n")
    with open("asked.json", "w") as f:
        json.dump({"lists": lists, "first": first, "dnp": dnp}, f)


BOOKS = re.compile(r"list=(\d+) .*accepted=(\d+) recorded=(\d+) refused=(\d+)"
                   r".* held=(\d+) queued=(\d+) active=(\d+)$")


def watch(path):
    seen, wrong, most = 0, 0, [0, 0, 0]
    last = None
    while not os.path.exists("done.flag"):
        try:
            with open(path) as f:
                ino, text = os.fstat(f.fileno()).st_ino, f.read()
        except FileNotFoundError:
            text, ino = "", None
        if ino is not None and (ino, text) != last:
            last = (ino, text)
            seen += 1
            for line in text.splitlines():
                m = BOOKS.match(line)
                if m is None:
                    continue
                acc, rec, ref, *now = map(int, m.groups()[1:])
                most = [max(a, b) for a, b in zip(most, now)]
                if acc != rec + ref + sum(now):
                    print("books do not balance: " + line)
                    wrong += 1
        time.sleep(0.02)
    print("%d snapshots, at most held=%d queued=%d active=%d" % (
        seen, *most))
    if seen < 5 or 0 in most:
        print("too little was seen to prove anything")
        wrong += 1
    sys.exit(wrong != 0)


def wire_errors(path, dnp):
    """Two live probes of one address, and addresses not to be probed."""
    last, errors, n, waits = {}, [], 0, []
    keys = {"udp": lambda p: (p.sport, p.dport, p.csum),
            "echo": lambda p: (p.id, p.seq)}
    everything = list(pcap.packets(path))
    mine = [p for p in everything if p.src in MONITOR and p.kind in keys]
    silences = pcap.Silences([p.ts for p in mine])
    for p in everything:
        if p.src in MONITOR and p.kind in keys:
            n += 1
            ts, key, answered = last.get(p.dst, (0, None, True))
            if not answered:
                waits.append((p.ts - ts, ts, p.dst))
            if p.dst in dnp:
                errors.append("%s: must not be probed" % p.dst)
            last[p.dst] = (p.ts, keys[p.kind](p), False)
        elif p.kind == "reply" and p.src in last:
            ts, key, _ = last[p.src]
            last[p.src] = (ts, key, key == (p.id, p.seq))
        elif p.quote is not None and p.quote.kind in keys:
            q = p.quote
            ts, key, _ = last.get(q.dst, (0, None, True))
            if key == keys[q.kind](q):
                last[q.dst] = (ts, key, True)
    short = [w for w in waits if w[0] < WAIT_S - SLACK_S]
    errors += ["%s: probed %.3f s after a probe that is alive" % (dst, wait)
               for wait, ts, dst in short
               if wait + silences.between(ts - WAIT_S, ts) < WAIT_S - SLACK_S]
    print("%d probes of %d addresses on the wire; %d behind one without an "
          "answer, %d of those sent late" % (
              n, len(last), len(waits), len(short)))
    if len(waits) - len(short) < 100:
        errors.append("too few to prove anything")
    return errors


def ended(trace):
    """When the last that we know of it happened."""
    return max([seconds(trace["start"])] + [
        seconds(h["tx"]) + h["rtt"] / 1000 for h in trace.get("hops", [])])


def seconds(at):
    return at["sec"] + at["usec"] / 1e6


def record_errors(traces, asked, begun):
    errors, starts, slow = [], {}, set()
    want, got = {}, {}
    for n, addrs in asked["lists"].items():
        for a in addrs:
            if a not in asked["dnp"]:
                want[int(n), a] = want.get((int(n), a), 0) + 1
    for t in traces:
        n = {"udp-paris": 1, "icmp-echo-paris": 2, "udp": 3}[t["method"]]
        got[n, t["dst"]] = got.get((n, t["dst"]), 0) + 1
        starts.setdefault(t["dst"], []).append((seconds(t["start"]), n))
        # Perhaps active still when the next one was due.
        if len({h["probe_ttl"] for h in t.get("hops", [])}) < t["hop_count"] \
                or ended(t) > begun + n * HOLD_S - 0.5:
            slow.add(t["dst"])
    for key in sorted(set(want) | set(got)):
        if want.get(key, 0) != got.get(key, 0):
            errors.append("list %d %s: %d records, should be %d" % (
                *key, got.get(key, 0), want.get(key, 0)))
    ordered = 0
    for a in asked["first"]:
        s = sorted(starts.get(a, []))
        # One that is due while the address is active goes behind the others.
        if len(s) != 3 or a not in slow and [n for _, n in s] != [1, 2, 3]:
            errors.append("%s: in the order %s, should be 1 2 3" % (
                a, " ".join(str(n) for _, n in s)))
            continue
        ordered += a not in slow
        # On hold from when they came, which was after the Prober's start.
        for i in (1, 2):
            if s[i][0] < begun + i * HOLD_S:
                errors.append("%s: command %d was on hold for %.3f s only" % (
                    a, i + 1, s[i][0] - begun))
    print("%d records of %d list-address pairs, the order of %d to be seen" % (
        len(traces), len(got), ordered))
    return errors


def check(path, json_path, begun):
    with open("asked.json") as f:
        asked = json.load(f)
    with open(json_path) as f:
        traces = [t for t in map(json.loads, f) if t["type"] == "trace"]
    errors = wire_errors(path, set(asked["dnp"]))
    errors += record_errors(traces, asked, float(begun))
    for e in errors[:30]:
        print(e)
    sys.exit(len(errors) != 0)


{"make": make, "watch": watch, "check": check}[sys.argv[1]](*sys.argv[2:])
