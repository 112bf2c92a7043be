#!/usr/bin/env python3
"""How much of the truth of the embedded Internet was found.

usage: found.py FAKENET [fakenet option ...] < traces.json

Prints "truth N found N percent P wrong N": hops that answer, up to the end of
each path that the trace's flow takes; those of them in the trace at their ttl;
and hops in the traces that are not in the truth.
"""
import json
import subprocess
import sys


def flow(trace):
    if trace["method"].startswith("udp"):
        return "udp,%d,%d" % (trace["sport"], trace["dport"])
    return "icmp,%d" % trace["icmp_sum"]


def measured():
    """({dst: {(ttl, addr) ...}}, requests for the truth)"""
    seen, requests = {}, []
    for line in sys.stdin:
        trace = json.loads(line)
        if trace["type"] != "trace":
            continue
        seen[trace["dst"]] = {(h["probe_ttl"], h["addr"])
                              for h in trace.get("hops", ())}
        requests.append("%s %s %s\n" % (
            trace["dst"], trace["src"], flow(trace)))
    return seen, requests


def main():
    seen, requests = measured()
    truth = found = 0
    out = subprocess.run([sys.argv[1], "-t", *sys.argv[2:], "-"],
                         input="".join(requests), capture_output=True,
                         text=True, check=True).stdout
    for line in out.splitlines():
        dst, kind, *rest = line.split(" ")
        if kind == "hop" and rest[1] != "*":
            truth += 1
            found += (int(rest[0]), rest[1]) in seen[dst]
    wrong = sum(map(len, seen.values())) - found
    print("truth %d found %d percent %.4f wrong %d" % (
        truth, found, 100 * found / truth, wrong))


main()
