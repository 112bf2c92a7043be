#!/usr/bin/env python3
"""Helper of prober-compare.test.

    prober_compare.py wire THEIRS.pcap OURS.pcap METHOD COUNT
    prober_compare.py records THEIRS.json OURS.json COUNT

The same targets traced by two programs: the probes of each target in order,
and the records, must be the same in all but what no two runs share: ports and
ids derived from the process id, times, IP-IDs of replies.  That ids, checksums
and payloads are what the method says is checked of each program alone.
"""
import json
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import pcap

MONITOR = ("198.51.100.2", "2001:db8:1::2")
errors = []


def bad(fmt, *args):
    errors.append(fmt % args)


def checksum_ok(p):
    """The transport checksum, over the pseudo header where there is one."""
    v6, b = p.version == 6, p.bytes
    l4 = b[40:p.len] if v6 else b[20:p.len]
    data = l4
    if p.proto != 1:
        addrs = b[8:40] if v6 else b[12:20]
        data = addrs + struct.pack("!IHBB", len(l4), 0, 0, p.proto) + l4
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s == 0xffff


def common(p, method):
    """What must be the same in both programs, to the bit."""
    paris = method.endswith("paris")
    # Scamper of 2021 sets no traffic class in IPv6 UDP probes; we do.
    tos = p.tos if p.version == 4 else 0
    return (p.version, p.proto, p.ttl, tos, p.len, p.df, p.fragment, p.kind,
            p.dport if p.kind == "udp" else p.icmp_type,
            p.csum if method == "udp-paris" else 0,
            p.ipid, p.seq,
            p.payload[2:] if paris else p.payload)


def alone(who, method, dst, probes):
    """The rules of the method, for the probes of one target."""
    port = probes[0].sport if "udp" in method else probes[0].id
    flows = {p.flow for p in probes if p.version == 6}
    if not port & 0x8000:
        bad("%s %s: port or id %d", who, dst, port)
    for n, p in enumerate(probes):
        where = "%s %s probe %d" % (who, dst, n)
        if not checksum_ok(p):
            bad("%s: wrong checksum", where)
        if p.version == 4 and p.ipid != n + 1:
            bad("%s: IP-ID %d", where, p.ipid)
        if (p.sport if p.kind == "udp" else p.id) != port:
            bad("%s: port or id changes", where)
        if method == "udp-paris" and (p.csum, p.dport) != (n + 1, 33435):
            bad("%s: checksum %d, port %d", where, p.csum, p.dport)
        if method == "udp" and p.dport != 33435 + n:
            bad("%s: port %d", where, p.dport)
        if "icmp" in method and p.seq != n:
            bad("%s: sequence %d", where, p.seq)
        if method == "icmp-paris" and p.csum != port:
            bad("%s: checksum %#x, should be %#x", where, p.csum, port)
        if any(p.payload[2 if "paris" in method else 0:]):
            bad("%s: payload %s", where, p.payload.hex())
    if method != "udp" and len(flows) > 1:
        bad("%s %s: the flow label changes", who, dst)


def by_target(path):
    probes = {}
    for p in pcap.packets(path):
        if p.src in MONITOR and p.kind in ("udp", "echo"):
            probes.setdefault(p.dst, []).append(p)
    return probes


def wire(theirs, ours, method, count):
    a, b = by_target(theirs), by_target(ours)
    for who, probes in (("scamper", a), ("prober", b)):
        if len(probes) != int(count):
            bad("%s: %d targets, should be %s", who, len(probes), count)
        for dst in probes:
            alone(who, method, dst, probes[dst])
    for dst in sorted(set(a) & set(b)):
        x = [common(p, method) for p in a[dst]]
        y = [common(p, method) for p in b[dst]]
        if x != y:
            i = next((i for i, (p, q) in enumerate(zip(x, y)) if p != q),
                     min(len(x), len(y)))
            bad("%s: %d probes by scamper, %d by prober; number %d: %s, %s",
                dst, len(x), len(y), i, x[i:i + 1], y[i:i + 1])
    print("%s: %d and %d probes compared" % (
        method, sum(map(len, a.values())), sum(map(len, b.values()))))


# Keys of a record that differ from run to run.
RUN = {"start", "sport", "icmp_sum"}
HOP = {"tx", "rtt", "reply_ipid"}


def read(path):
    out = {}
    for line in open(path):
        t = json.loads(line)
        if t["type"] == "trace":
            if t["method"] == "icmp-echo-paris":
                t.pop("dport", None)
            hops = [{k: v for k, v in h.items() if k not in HOP}
                    for h in t.get("hops", [])]
            t = {k: v for k, v in t.items() if k not in RUN}
            t["hops"] = hops
            out[t["dst"]] = t
    return out


def records(theirs, ours, count):
    a, b = read(theirs), read(ours)
    if len(a) != int(count) or set(a) != set(b):
        bad("%d records by scamper, %d by prober", len(a), len(b))
    for dst in sorted(set(a) & set(b)):
        x, y = a[dst], b[dst]
        for key in sorted(set(x) | set(y)):
            if key != "hops" and x.get(key) != y.get(key):
                bad("%s: %s: %s, by prober %s", dst, key, x.get(key),
                    y.get(key))
        if x["hops"] != y["hops"]:
            i = next((i for i, (p, q) in enumerate(zip(x["hops"], y["hops"]))
                      if p != q), min(len(x["hops"]), len(y["hops"])))
            bad("%s: reply %d: %s\n\tby prober %s", dst, i,
                x["hops"][i:i + 1], y["hops"][i:i + 1])
    print("%d records compared" % len(a))


{"wire": wire, "records": records}[sys.argv[1]](*sys.argv[2:])
for e in errors[:20]:
    print(e)
sys.exit(len(errors) != 0)
