#!/usr/bin/env python3
"""Helper of the conformance tests: conformance_ping.py COMMANDS THEIRS OURS, the
stems of a capture and JSON lines each.

Every command has a target of its own.  Its probes by the two programs, in
order, and its two records are compared.  What cannot be the same, and what is
deliberately not:

 * IPv4 ids, TCP numbers, default ports and ICMP ids, and the checksums over
   them; times.  That they are well formed is checked of each alone.
 * scamper records 84 bytes for a timestamp request of 72, and less than it
   sends with a prespecified timestamp option, where it has more data; we
   record what we send.
 * scamper of 2021 sends no traffic class in IPv6; we do.
 * Our message "too big" has an IPv4 id and may not be fragmented; what it
   quotes of a reply has an id of that host's.  Behind the quoted headers
   scamper sends what its memory held.
 * The flow label of IPv6 is the kernel's there and ours here; within a flow it
   must not change.
 * With a chosen checksum and no size scamper of 2021 sends two bytes more.
 * All errors about TCP it takes for answers to the first probe, but of methods
   that vary a port; we go by the id that is quoted.
 * Of replies by TCP, and with -O dl, it does not record IP options.
 * With a spoofed source it leaves out its own address in tcp-synack and tcp-rst.

What there are no rows for, as it does it worse or not at all; that ours is what
the manual says is checked by conformance_own.py:

 * An interval of .05 it takes for .5.
 * A pattern in TCP, or a payload in timestamp requests, it writes behind its
   memory; a pattern of 16 bytes it refuses; a timestamp request is sent 12
   bytes smaller than asked.
 * udp-sport, tcp-syn-sport, -b, -O mss= and lsrr= are later, or our own.
"""
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import conformance
from conformance import bad, l4, sound


def is_too_big(p):
    data = l4(p)
    return p.proto == 58 and data[0] == 2 or \
        p.proto == 1 and data[:2] == b"\3\4"


def too_big(p):
    """What must be the same of the message with which -M answers a reply."""
    data = l4(p)
    quote = bytearray(data[8:])
    if p.version == 4:
        quote[4:6] = quote[10:12] = b"--"
        rest = 20
    else:
        quote[1:4] = b"---"
        rest = 40
    quote[rest + 2:rest + 6] = b"----"
    return {"ttl": p.ttl, "tos": p.tos, "len": p.len, "src": p.src,
            "head": data[:2] + data[4:8], "quote": bytes(quote[:rest + 8])}


def shape(p, options, first):
    """What must be the same in both programs."""
    if is_too_big(p):
        return too_big(p)
    data = l4(p)
    out = {"version": p.version, "ttl": p.ttl, "proto": p.proto,
           "df": p.df, "fragment": p.fragment, "len": p.len}
    if p.version == 4:
        out["tos"] = p.tos
        out["options"] = p.bytes[20:(p.bytes[0] & 15) * 4].hex()
        if "tsprespec" in options:
            out["options"] = out["options"][:8 + 8 * options.count(",") + 8]
            out.pop("len")
    if p.proto in (1, 58):
        out["type"], out["code"] = data[0], data[1]
        ident, out["seq"] = struct.unpack("!HH", data[4:8])
        out["id"] = ident if "-F" in options else ident - first[0]
        rest = data[8:]
        if "icmp-time" in options:
            rest = rest[12:]
        out["data"] = rest.hex()
    else:
        sport, out["dport"] = struct.unpack("!HH", data[:4])
        out["sport"] = sport if "-F" in options else sport - first[0]
    if p.proto == 6:
        seq, ack, out["flags"], out["window"] = struct.unpack(
            "!IIHH", data[4:16])
        syn = "tcp-syn" in options and "ack" not in options
        out["numbers"] = (
            seq - first[1] if not ("-A" in options and syn) else seq,
            ack - first[2] if not ("-A" in options and not syn) else ack)
        out["data"] = data[20:].hex()
    elif p.proto == 17:
        out["data"] = data[8:].hex()
    if "tsprespec" in options:
        out["data"] = out["data"].rstrip("0")
    if has_chosen_sum(options):
        out["sum"] = data[2:4]
        out.pop("len"), out.pop("data")
    if "spoof" in options and re.search("tcp-(synack|rst)", options):
        out.pop("len"), out.pop("data")
    return out


def has_chosen_sum(options):
    """Two bytes larger in scamper of 2021."""
    return "-C " in options and "-s " not in options


def tcp_errors(options, r):
    """Errors about TCP, by what the method does not number."""
    return re.search("-P tcp-(syn|synack|rst)\\b", options) and \
        any(reply["reply_proto"] == "icmp" for reply in r["responses"])


def first_of(p):
    """Numbers that are a program's own choice."""
    data = l4(p)
    if p.proto in (1, 58):
        return struct.unpack("!H", data[4:6])[0], 0, 0
    sport = struct.unpack("!H", data[:2])[0]
    if p.proto != 6:
        return sport, 0, 0
    return (sport,) + struct.unpack("!II", data[4:12])


def wire(target, options, theirs, ours):
    a, b = theirs.get(target, []), ours.get(target, [])
    # The kernel resets connections that it knows nothing of.
    if "tcp-syn" in options and "synack" not in options:
        a = [p for p in a if not l4(p)[13] & 4]
        b = [p for p in b if not l4(p)[13] & 4]
    if not a and not b and "-s 8000" in options:
        return  # too large for the link
    if not a or not b:
        bad("%s %s: %d and %d probes", options, target, len(a), len(b))
        return
    for who, ps in (("scamper", a), ("prober", b)):
        for p in ps:
            sound(who, p)
    x = [shape(p, options, first_of(a[0])) for p in a]
    y = [shape(p, options, first_of(b[0])) for p in b]
    conformance.same("%s %s" % (options, target), "probe", x, y)
    ids = [p.ipid for p in b if p.version == 4 and not is_too_big(p)]
    if 0 in ids or len(set(ids)) != len(ids):
        bad("%s %s: IP-IDs %s", options, target, ids)
    flows = {p.flow for p in b if p.version == 6 and not is_too_big(p)}
    if len(flows) > 1 and "sport" not in options and "dport" not in options:
        bad("%s %s: the flow label changes", options, target)


RUN = {"start", "tcp_seq", "tcp_ack", "sport", "statistics"}
REPLY = {"tx", "rx", "rtt", "probe_ipid", "reply_ipid", "tsandaddr", "tsonly"}


def results(stem):
    out = {}
    for r in conformance.json_records(stem, "ping"):
        s = r["statistics"]
        r["counts"] = s["replies"], s.get("loss")
        for reply in r["responses"]:
            if not 0 < reply["rtt"] < 1000:
                bad("%s: round-trip time %s", r["dst"], reply["rtt"])
            for key in ("tsandaddr", "tsonly"):
                if key in reply:
                    stamps = reply[key]
                    reply[key + "s"] = [s["ip"] for s in stamps] \
                        if key == "tsandaddr" else len(stamps)
            if reply.get("tsandaddrs") == []:
                reply.pop("tsandaddrs")
        r["responses"] = [{k: v for k, v in reply.items() if k not in REPLY}
                          for reply in r["responses"]]
        out[r["dst"]] = {k: v for k, v in r.items() if k not in RUN}
    return out


def records(target, options, theirs, ours):
    a, b = theirs.get(target), ours.get(target)
    if a is None or b is None:
        bad("%s %s: recorded by %s", options, target,
            "neither" if a is b else "prober" if a is None else "scamper")
        return
    if "icmp-time" in options or "tsprespec" in options:
        a.pop("probe_size"), b.pop("probe_size")
    if "tsprespec" in options:
        for r in a["responses"] + b["responses"]:
            r.pop("reply_size")
    if has_chosen_sum(options):
        for r in a["responses"] + b["responses"]:
            r.pop("reply_size")
    if has_chosen_sum(options) or \
            "spoof" in options and re.search("tcp-(synack|rst)", options):
        a.pop("probe_size"), b.pop("probe_size")
    if " -P tcp" in " " + options or "-O dl" in options:
        for reply in b["responses"]:
            for key in ("RR", "tsandaddrs", "tsonlys"):
                reply.pop(key, None)
    if tcp_errors(options, a):
        for r in (a, b):
            r.pop("counts")
            for reply in r["responses"]:
                reply.pop("seq")
    for key in sorted(set(a) | set(b)):
        if a.get(key) != b.get(key):
            bad("%s %s: %s:\n\t%s\n\t%s", options, target, key, a.get(key),
                b.get(key))


def main(commands, theirs, ours):
    wires = conformance.probes(theirs), conformance.probes(ours)
    jsons = results(theirs), results(ours)
    n = 0
    for options, target in conformance.commands(commands):
        wire(target, options, *wires)
        records(target, options, *jsons)
        n += 1
    conformance.finish("%d pings compared, %d with an answer" % (
        n, sum(bool(r["responses"]) for r in jsons[1].values())))


main(*sys.argv[1:])
