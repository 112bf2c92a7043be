#!/usr/bin/env python3
"""Compare traceroutes with the truth of the embedded Internet, hop by hop.

usage: truth_check.py [--silent FILE] FAKENET COUNT [fakenet option ...]
       < traces.json

Reads JSON lines, asks `FAKENET -t' for the one path that each trace's flow
must have taken, and compares every ttl (a silent router must be a gap), the
MPLS labels, the round-trip times (none shorter than the truth) and the end.
Exactly COUNT traces must be there.  Exit status 1 at any difference.

With --silent, the destinations that differ by silence alone, where somebody
should have answered, are written to FILE and not counted: whoever measured may
have been kept from his socket, and asks them again.
"""
import json
import re
import subprocess
import sys


def flow(trace):
    if trace["method"].startswith("udp"):
        return "udp,%d,%d" % (trace["sport"], trace["dport"])
    return "icmp,%d" % trace["icmp_sum"]


def truths(fakenet, options, traces):
    """The truth by destination: {ttl: words}, [end words]."""
    asked = "".join(
        "%s %s %s\n" % (t["dst"], t["src"], flow(t)) for t in traces)
    out = subprocess.run([fakenet, "-t", *options, "-"], input=asked,
                         capture_output=True, text=True, check=True).stdout
    hops, ends = {}, {}
    for line in out.splitlines():
        dst, kind, *rest = line.split(" ")
        if kind == "hop":
            hops.setdefault(dst, {})[int(rest[0])] = rest[1:]
        elif kind == "end":
            ends[dst] = rest
    return hops, ends


def labels(hop):
    """MPLS labels of a measured hop, as the truth prints them."""
    return ["%d:%d:%d:%d" % (m["mpls_label"], m["mpls_exp"], m["mpls_s"],
                             m["mpls_ttl"])
            for ext in hop.get("icmpext", [])
            for m in ext.get("mpls_labels", [])]


def hop_errors(ttl, truth, seen):
    addr, keys = truth[0], dict(w.partition("=")[::2] for w in truth[1:])
    if addr == "*":
        return ["ttl %d: %s answered, should be silent" % (ttl, h["addr"])
                for h in seen]
    if not seen:
        return ["ttl %d: silent, should be %s" % (ttl, addr)]
    errors = []
    want = keys["mpls"].split(",") if "mpls" in keys else []
    for hop in seen:
        if hop["addr"] != addr:
            errors.append("ttl %d: %s, should be %s" % (
                ttl, hop["addr"], addr))
        if labels(hop) != want:
            errors.append("ttl %d: labels %s, should be %s" % (
                ttl, labels(hop), want))
        if hop.get("icmp_q_ttl", 1) != 1:
            errors.append("ttl %d: quotes TTL %d" % (ttl, hop["icmp_q_ttl"]))
        if hop["rtt"] * 1000 + 1 < int(keys["rtt_us"]):
            errors.append("ttl %d: rtt %s ms, should be %s us or more" % (
                ttl, hop["rtt"], keys["rtt_us"]))
    return errors


def end_errors(trace, end):
    want = {"completed": "COMPLETED", "unreach": "UNREACH",
            "gap": "GAPLIMIT"}[end[0]]
    got = trace["stop_reason"]
    if got != want:
        return ["ends with %s, should be %s" % (got, want)]
    if trace["hop_count"] != int(end[1]):
        return ["has %d hops, should have %s" % (trace["hop_count"], end[1])]
    code = [w for w in end[2:] if w.startswith("code=")]
    if want == "UNREACH" and "code=%d" % trace["stop_data"] not in code:
        return ["code %d, should be %s" % (trace["stop_data"], code)]
    return []


def trace_errors(trace, hops, end):
    by_ttl = {}
    for hop in trace.get("hops", []):
        by_ttl.setdefault(hop["probe_ttl"], []).append(hop)
    errors = end_errors(trace, end)
    for ttl in sorted(set(hops) | set(by_ttl)):
        if ttl not in hops:
            errors.append("ttl %d: nothing is there" % ttl)
        elif ttl <= trace["hop_count"]:
            errors += hop_errors(ttl, hops[ttl], by_ttl.get(ttl, []))
    return errors


def only_silence(trace, errors, end):
    """Answers that are missing explain all that is wrong: also that it went on
    behind a last hop that did not answer."""
    last = int(end[1])
    for e in errors:
        ttl = re.match(r"ttl (\d+): ", e)
        behind = ttl and int(ttl[1]) > last or e.startswith("has ")
        if not (": silent, should be " in e or
                e.startswith("ends with GAPLIMIT") or
                behind and any(x.startswith("ttl %d: silent" % last)
                               for x in errors)):
            return False
    return True


def main():
    args, silent = sys.argv[1:], None
    if args[0] == "--silent":
        silent, args = open(args[1], "w"), args[2:]
    fakenet, count, options = args[0], int(args[1]), args[2:]
    traces = [t for t in map(json.loads, sys.stdin) if t["type"] == "trace"]
    hops, ends = truths(fakenet, options, traces)
    wrong = 0
    for trace in traces:
        errors = trace_errors(trace, hops[trace["dst"]], ends[trace["dst"]])
        for error in errors:
            print("%s: %s" % (trace["dst"], error))
        if errors and silent is not None and only_silence(
                trace, errors, ends[trace["dst"]]):
            silent.write(trace["dst"] + "\n")
        else:
            wrong += bool(errors)
    replies = sum(len(t.get("hops", [])) for t in traces)
    print("%d traces with %d replies compared with the truth, %d differ" % (
        len(traces), replies, wrong))
    if len(traces) != count or len({t["dst"] for t in traces}) != count:
        print("there should be %d traces of as many destinations" % count)
        wrong += 1
    sys.exit(wrong != 0)


main()
