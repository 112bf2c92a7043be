#!/usr/bin/env python3
"""Helper of the conformance tests:

    conformance_trace.py COMMANDS ADDRESSES THEIRS OURS [all]

THEIRS and OURS are the stems of a capture, JSON lines and warts each; ADDRESSES
is the file that tells the routers of an address; `all': every kind of end must
occur.

Every command has a target of its own.  Its probes by the two programs, in
order, and its two records are compared.  What cannot be the same:

 * Times and what hosts count up; default ports, and what depends on them.
 * The flow label of IPv6 is the kernel's there and ours here, so a Linux router
   that balances load may choose otherwise: r2a and r2b count as one.

What is deliberately not, as ours is better:

 * scamper of 2021 sends no traffic class in IPv6.
 * Doubletree: where the first ttl was too far for the target to be silent, it
   waits out the timeout; and its record begins a hop behind the nearest that
   it knows, so that text and JSON do not show that hop.
 * With several hops in flight the last may be beyond the target: those are
   in its record as they came, in ours marked by their stop ttl.
 * The size of a fragment is recorded eight bytes short.

What there are no rows for, as scamper of 2021 does it worse; that ours is what
the manual says is checked by conformance_own.py:

 * With several hops in flight it takes no notice of -Q and -c, does not go on
   with path MTU discovery, and does not hear a target that answers by TCP; with
   doubletree neither.
 * It may not use ports below 1024.
 * An ICMP checksum of 65535 it sends as 0.
 * Given a port but no checksum, icmp-paris has the number of the process.
 * By IPv6 it does not recognise replies to a constant payload: compared where
   nobody answers.
 * Behind the payload given for a fragment it sends 12 bytes more.
 * The search for a path MTU below 128 behind silence it gives up half-way.
 * -H, -O back, nortt, lsrr= and a path MTU by other methods than UDP are
   later than it, or our own.
"""
import collections
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import conformance
from conformance import bad, is_fragment, l4, sound

nodes = {}


def node(addr):
    return re.sub("[abc]$", "", nodes[addr]) if addr in nodes else addr


# --- probes ------------------------------------------------------------------

def shape(p, options):
    """What must be the same in both programs."""
    data = l4(p)
    chosen = "-s " in options
    out = {"version": p.version, "ttl": p.ttl, "proto": p.proto,
           "df": p.df, "len": p.len}
    if p.version == 4:
        out["tos"], out["ipid"] = p.tos, p.ipid
    elif p.proto == 6 or is_fragment(p):
        out["flow"] = p.flow
    if is_fragment(p):
        out["head"], out["number"] = data[:4], data[6:]
    elif p.proto in (1, 58):
        out["type"], out["seq"] = data[:2], data[6:8]
        if chosen and ("paris" not in options or "-d " in options):
            out["rest"] = data
    elif chosen:
        out["rest"] = data
    else:
        out["dport"] = data[2:4]
        out["rest"] = data[4:16] if p.proto == 6 else data[4:6]
    return out


def is_flight(options):
    return "-N " in options


def is_ours(p):
    """Not a reset by the kernel, which knows nothing of the connection."""
    return p.proto != 6 or is_fragment(p) or not l4(p)[13] & 4


def wire(target, options, theirs, ours):
    a = [p for p in theirs.get(target, []) if is_ours(p)]
    b = [p for p in ours.get(target, []) if is_ours(p)]
    about = "%s %s" % (options, target)
    if not a or not b:
        bad("%s: %d and %d probes", about, len(a), len(b))
        return
    for who, ps in (("scamper", a), ("prober", b)):
        for p in ps:
            sound(who, p)
    if is_flight(options):
        # In which order they leave is a matter of how soon others answer.
        last = min(max(p.ttl for p in a), max(p.ttl for p in b))
        counts = [collections.Counter(p.ttl for p in ps if p.ttl <= last)
                  for ps in (a, b)]
        if counts[0] != counts[1]:
            bad("%s: %s and %s", about, *counts)
        return
    conformance.same(about, "probe", [shape(p, options) for p in a],
                     [shape(p, options) for p in b])
    if "-W 10" in options:
        gaps = [y.ts - x.ts for x, y in zip(b, b[1:])]
        if min(gaps) < 0.099:
            bad("%s: gaps of %s", about, gaps)
    if b[0].version == 6 and "-P udp " not in options + " " and \
            "const" not in options and b[0].proto in (17, 58) and \
            len({p.flow for p in b}) > 1:
        bad("%s: the flow label changes", about)


# --- records -----------------------------------------------------------------

RUN = {"start", "icmp_sum"}
HOP = {"tx", "rtt", "reply_ipid"}


def results(stem):
    out = {}
    for r in conformance.json_records(stem, "trace"):
        for h in r.setdefault("hops", []):
            if not -1 < h["rtt"] < 4e6:
                bad("%s: round-trip time %s", r["dst"], h["rtt"])
            h["addr"] = node(h["addr"])
        r["hops"] = [{k: v for k, v in h.items() if k not in HOP}
                     for h in r["hops"]]
        out[r["dst"]] = {k: v for k, v in r.items() if k not in RUN}
    return out


def sections(stem):
    """By target: the lines of its dump about doubletree and path MTU."""
    out = {}
    for text in subprocess.check_output(
            ["sc_wartsdump", stem + ".warts"], text=True).split("\n\n"):
        m = re.search(r"^traceroute from \S+ to (\S+)", text, re.M)
        if not m:
            continue
        lines, inside = [], False
        for line in text.split("\n"):
            inside = inside or line.startswith("pmtud:")
            if not inside and "doubletree" not in line and \
                    "lss-stop" not in line:
                continue
            if line.startswith(" flags"):
                continue
            line = re.sub(r"reply-ipid: \w+, |tx: \S+ |rtt: \S+ |outmtu 0, ",
                          "", line)
            lines.append(re.sub(r"[0-9a-f:.]*[.:]{1,2}[0-9a-f.:]+",
                                lambda m: node(m.group()), line))
        out[m.group(1)] = lines
    return out


def adapt(options, a, b):
    """What is deliberately different."""
    first = max(a["firsthop"], b["firsthop"])
    last = min(a["hop_count"], b["hop_count"])
    for r in (a, b):
        if "-s " not in options:
            r.pop("sport", None)
            if "-d " not in options and "icmp" in options:
                r.pop("icmp_sum", None)
        if "-z " in options or "-Z " in options:
            r.pop("firsthop")
            r["hops"] = [h for h in r["hops"] if h["probe_ttl"] >= first]
        if is_flight(options):
            for key in ("hop_count", "probe_count"):
                r.pop(key)
            r["hops"] = [h for h in r["hops"] if h["probe_ttl"] <= last]
        if "-o " in options:
            r.pop("probe_size")
            for h in r["hops"]:
                h.pop("probe_size")
        if ":" in r["dst"]:
            for h in r["hops"]:
                h.pop("icmp_q_tos", None)
                if "-t " in options:
                    h.pop("reply_tos")


def records(target, options, theirs, ours):
    a, b = theirs.get(target), ours.get(target)
    about = "%s %s" % (options, target)
    if a is None or b is None:
        bad("%s: recorded by %s", about,
            "neither" if a is b else "prober" if a is None else "scamper")
        return
    adapt(options, a, b)
    conformance.same(about, "hop", a.pop("hops"), b.pop("hops"))
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key):
            bad("%s: %s:\n\t%s\n\t%s", about, key, a.get(key), b.get(key))


def worth(ends, dumps):
    """All that there is to compare occurs."""
    for why in ("COMPLETED", "UNREACH", "LOOP", "GAPLIMIT", "HOPLIMIT", "GSS"):
        if ends[why] == 0:
            bad("no trace ends with %s", why)
    text = "\n".join("\n".join(lines) for lines in dumps.values())
    for what in (", ptb ", ", ptb-bad ", ", silence ", "lss-stop: ",
                 "gss-stop: "):
        if what not in text:
            bad("nowhere is %s", what)


def main(commands, addresses, theirs, ours, wants=""):
    for line in open(addresses):
        addr, name = line.split()
        nodes[addr] = name
    wires = conformance.probes(theirs), conformance.probes(ours)
    jsons = results(theirs), results(ours)
    dumps = sections(theirs), sections(ours)
    n = 0
    for options, target in conformance.commands(commands):
        wire(target, options, *wires)
        records(target, options, *jsons)
        conformance.same("%s %s" % (options, target), "line",
                         dumps[0].get(target, []), dumps[1].get(target, []))
        n += 1
    ends = collections.Counter(r["stop_reason"] for r in jsons[1].values())
    if wants and n > 100:
        worth(ends, dumps[1])
    conformance.finish("%d traces compared: %s" % (n, ", ".join(
        "%d %s" % (ends[why], why) for why in sorted(ends))))


main(*sys.argv[1:])
