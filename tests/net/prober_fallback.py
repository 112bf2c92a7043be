#!/usr/bin/env python3
"""Helper of prober-fallback.test: do the traces say what they should?

    prober_fallback.py JSON WANTED

WANTED has lines DST REASON HOP...; a hop is an address or * for silence.
Exactly those destinations must be there, each once.
"""
import json
import sys


def main():
    wanted = {}
    for line in open(sys.argv[2]):
        dst, reason, *hops = line.split()
        wanted[dst] = (reason, hops)
    errors, seen = [], set()
    for line in open(sys.argv[1]):
        t = json.loads(line)
        if t["type"] != "trace":
            continue
        dst = t["dst"]
        if dst in seen or dst not in wanted:
            errors.append("%s: not asked, or twice" % dst)
            continue
        seen.add(dst)
        by_ttl = {}
        for h in t.get("hops", []):
            by_ttl.setdefault(h["probe_ttl"], h["addr"])
        hops = [by_ttl.get(i + 1, "*") for i in range(t["hop_count"])]
        if (t["stop_reason"], hops) != wanted[dst]:
            errors.append("%s: %s %s, should be %s %s" % (
                dst, t["stop_reason"], " ".join(hops), wanted[dst][0],
                " ".join(wanted[dst][1])))
    errors += ["%s: no record" % d for d in wanted if d not in seen]
    for e in errors:
        print(e)
    sys.exit(len(errors) != 0)


main()
