#!/usr/bin/env python3
"""Helper of prober-routes.test: which way did the probes go?

    prober_routes.py JSON LIST moved TIME	routes of half were changed then
    prober_routes.py JSON LIST new		all began after that

All of LIST must be there once, whole.  A way is told by the router at ttl 1;
the time of a probe is that of its leaving.
"""
import json
import sys


def v6(t):
    return ":" in t["dst"]


def is_moved(t):
    return t["dst"].startswith(("10.9.1.", "fd00:9:1:"))


def way(hop):
    return {"10.0.1.1": 1, "fd00:1::1": 1, "10.0.3.1": 2,
            "fd00:3::1": 2}.get(hop["addr"])


def sent(hop):
    return hop["tx"]["sec"] + hop["tx"]["usec"] / 1e6


def source(t, n):
    return "fd00:%d::2" % (2 * n - 1) if v6(t) else "10.0.%d.2" % (2 * n - 1)


def whole(traces, errors):
    wanted = sorted(open(sys.argv[2]).read().split())
    if sorted(t["dst"] for t in traces) != wanted:
        errors.append("not one record for each")
    for t in traces:
        if t["stop_reason"] != "COMPLETED" or t["hop_count"] != 2:
            errors.append("%s: %s" % (t["dst"], t["stop_reason"]))


def moved(traces, errors):
    for family in (False, True):
        old, new = [], []
        for t in traces:
            if v6(t) != family:
                continue
            if t["src"] != source(t, 1):
                errors.append("%s: from %s" % (t["dst"], t["src"]))
            for h in t["hops"]:
                if h["probe_ttl"] != 1:
                    continue
                if way(h) is None or (way(h) == 2 and not is_moved(t)):
                    errors.append("%s by %s" % (t["dst"], h["addr"]))
                elif is_moved(t):
                    (new if way(h) == 2 else old).append(sent(h))
        if not old or not new:
            errors.append("v6=%s: %d the old way, %d the new" % (
                family, len(old), len(new)))
            continue
        # All together, and not before.
        if min(new) < float(sys.argv[4]) or max(old) > min(new):
            errors.append("v6=%s: old until %f, new from %f, changed %s" % (
                family, max(old), min(new), sys.argv[4]))


def new(traces, errors):
    for t in traces:
        n = 2 if is_moved(t) else 1
        if t["src"] != source(t, n):
            errors.append("%s: from %s" % (t["dst"], t["src"]))
        if any(way(h) != n for h in t["hops"] if h["probe_ttl"] == 1):
            errors.append("%s: the wrong way" % t["dst"])


def main():
    traces = [json.loads(line) for line in open(sys.argv[1])]
    traces = [t for t in traces if t["type"] == "trace"]
    errors = []
    whole(traces, errors)
    {"moved": moved, "new": new}[sys.argv[3]](traces, errors)
    for e in errors:
        print(e)
    sys.exit(len(errors) != 0)


main()
