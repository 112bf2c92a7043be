#!/usr/bin/env python3
"""How long traces took, as a distribution.

usage: completion.py < traces.json > points

For every trace that reached its destination: seconds from its start to the
reply of the destination.  Prints lines "seconds fraction", the fraction of
these traces that were complete by then, and "# n N median S p90 S" at the end.
"""
import json
import sys


def seconds(t):
    return t["sec"] + t["usec"] / 1e6


def main():
    took = []
    for line in sys.stdin:
        trace = json.loads(line)
        if trace["type"] != "trace" or trace["stop_reason"] != "COMPLETED":
            continue
        last = trace["hops"][-1]
        took.append(seconds(last["tx"]) + last["rtt"] / 1000 -
                    seconds(trace["start"]))
    took.sort()
    n = len(took)
    for i in range(0, n, max(1, n // 200)):
        print("%.4f %.4f" % (took[i], (i + 1) / n))
    if n:
        print("# n %d median %.2f p90 %.2f" % (
            n, took[n // 2], took[n * 9 // 10]))


main()
