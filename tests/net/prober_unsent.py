#!/usr/bin/env python3
"""Helper of prober-unsent.test: what became of probes that were not taken?

    prober_unsent.py packet|raw|one JSON LIST CUT STATUS

CUT is when the link that was down for a while was up again.
"""
import ipaddress
import json
import re
import sys

PROBES = 6
TURNS_MAX = 8000  # of 13 seconds; asking each millisecond would be 13,000
EPERM, NO_WAY = 1, (6, 19, 100, 101, 113)
LOST_MAX = 2  # on the wire when a link was cut
HELD_UP_S = 9  # as long as nobody is held up by one that gives up


def network(dst):
    """10.9.1.7 and fd00:9:1::7 are of network 9.1."""
    parts = dst.split(":" if ":" in dst else ".")
    return "%s.%s" % (parts[1], parts[2] or "0")


def sent(r):
    return r["tx"]["sec"] + r["tx"]["usec"] / 1e6


def started(t):
    return t["start"]["sec"] + t["start"]["usec"] / 1e6


def wanted(way, net):
    """The errors it may end with; None: all is there."""
    if net == "7.0":
        return NO_WAY
    if way == "raw" and net == "9.1":
        return (EPERM,)
    if way == "raw" and net == "9.2":
        return NO_WAY
    return None


def judge(way, t):
    """What is wrong with record T; how many probes stayed without an answer."""
    net, got = network(t["dst"]), t["responses"]
    errors = wanted(way, net)
    ended = t.get("stop_reason")
    if errors is None:
        if ended != "done" or t["ping_sent"] != PROBES:
            return "%s, %d probes" % (ended, t["ping_sent"]), 0
        if net == "9.0" and sent(got[-1]) - started(t) > HELD_UP_S:
            return "held up", 0
    elif ended != "error" or t["stop_data"] not in errors:
        return "%s %s" % (ended, t.get("stop_data")), 0
    elif (net == "9.1") != (t["ping_sent"] == 0):
        return "%d probes" % t["ping_sent"], 0
    return None, t["ping_sent"] - len(got)


def judge_one(path, targets, cut, status):
    """One interface, which was down for a while."""
    traces = [json.loads(line) for line in open(path)]
    traces = [t for t in traces if t["type"] == "trace"]
    asked = [str(ipaddress.ip_address(a)) for a in open(targets).read().split()]
    errors = ["%s: %s" % (t["dst"], t["stop_reason"]) for t in traces
              if t["stop_reason"] != "COMPLETED" or t["hop_count"] != 1]
    if sorted(t["dst"] for t in traces) != sorted(asked):
        errors.append("%d records for %d" % (len(traces), len(asked)))
    if not any(started(t) > float(cut) for t in traces):
        errors.append("all had begun before: this shows nothing")
    if "refused=0" not in open(status).read():
        errors.append("some were refused")
    return errors


def judge_all(way, path, targets, cut, status):
    errors, lost, late, failed = [], 0, 0, 0
    pings = [json.loads(line) for line in open(path)]
    pings = [t for t in pings if t["type"] == "ping"]
    asked = [str(ipaddress.ip_address(a)) for a in open(targets).read().split()]
    if sorted(t["dst"] for t in pings) != sorted(asked):
        errors.append("not one record for each")
    for t in pings:
        wrong, silent = judge(way, t)
        if wrong is not None:
            errors.append("%s: %s" % (t["dst"], wrong))
        lost += silent
        failed += t.get("stop_reason") == "error"
        late += network(t["dst"]) == "8.0" and any(
            sent(r) > float(cut) for r in t["responses"])
    if lost > LOST_MAX:
        errors.append("%d probes without an answer" % lost)
    if late == 0:
        errors.append("nobody waited for the link: this shows nothing")
    counts = dict(re.findall(r"(\w+)=(\d+)", open(status).read()))
    if int(counts["tx_errors"]) != failed or counts["tx_waits"] == "0":
        errors.append("%d errors, counted otherwise" % failed)
    if int(counts["turns"]) > TURNS_MAX:
        errors.append("busy: %s turns" % counts["turns"])
    return errors


def main():
    judge_it = judge_one if sys.argv[1] == "one" else judge_all
    errors = judge_it(*sys.argv[2 if judge_it is judge_one else 1:])
    for e in errors:
        print(e)
    sys.exit(len(errors) != 0)


main()
