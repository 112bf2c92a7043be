#!/usr/bin/env python3
"""Helper of conformance-own.test:

    conformance_own.py commands             the commands, one a line
    conformance_own.py check STEM           STEM.pcap, .json, .dump
    conformance_own.py options FOLDER       the sources' options are all in a
                                            table, here or in FOLDER's *.rows

What scamper of 2021 does not have, or cannot, or does worse, so that there is
nothing to compare with: each row of the table says what must be on the wire and
in the record, as the manual has it.  The targets are five hops away, the link
before the last but one has an MTU of 1400.
"""
import json
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import conformance
from conformance import bad, l4, sound


class Run:
    """One command's probes P, its record R as JSON and as dump D."""

    def want(self, what, got, wanted):
        if got != wanted:
            bad("%s %s: %s: %s, should be %s", self.options, self.target,
                what, got, wanted)

    def ttls(self):
        return [p.ttl for p in self.p]

    def gaps_of(self, least_s):
        """From one probe to the next of that ttl, by the record: the wire may
        be late."""
        last = {}
        for a in self.r.get("hops", self.r.get("responses")):
            at, ttl = a["tx"]["sec"] + a["tx"]["usec"] / 1e6, \
                a.get("probe_ttl")
            if at - last.get(ttl, 0) < least_s:
                bad("%s: %.6f s apart", self.options, at - last[ttl])
            last[ttl] = at


# --- trace -------------------------------------------------------------------

def wait_hop(r):
    r.want("ttls", r.ttls(), [t for t in range(1, 6) for _ in range(3)])
    r.gaps_of(0.099)
    # Not between hops: the first probe of a hop comes at once.
    r.want("quick", any(b.ts - a.ts < 0.09 for a, b in zip(r.p, r.p[1:])
                        if a.ttl != b.ttl), True)


def back(r):
    r.want("ttls", r.ttls(), [7, 6, 5, 4, 3, 2])
    r.want("hops", [h["probe_ttl"] for h in r.r["hops"]], [2, 3, 4, 5, 6, 7])
    r.want("target", {host(r, h["addr"]) for h in r.r["hops"] if h["probe_ttl"] > 4},
           {r.target})


def no_rtt(r):
    r.want("ttls", r.ttls(), [1, 2, 3, 4, 5])
    r.want("hops", len(r.r["hops"]), 5)
    r.want("times", sum(h.get("rtt", 0) for h in r.r["hops"]), 0)


def all_of(n):
    def check(r):
        # Those behind the target were in flight when it answered.
        r.want("ttls", sorted(t for t in r.ttls() if t <= 5),
               [t for t in range(1, 6) for _ in range(n)])
        r.want("end", r.r["stop_reason"], "COMPLETED")
        r.want("hops", {h["probe_ttl"] for h in r.r["hops"]} >=
               {1, 2, 3, 4, 5}, True)
    return check


def host(r, addr):
    """An error by IPv6 is from another address of the host."""
    return r.target if addr == "2001:db8:0:7::11" else addr


def completed(r):
    r.want("end", r.r["stop_reason"], "COMPLETED")
    r.want("target", any(host(r, h["addr"]) == r.target
                         for h in r.r["hops"]), True)


def const_payload(r):
    completed(r)
    r.want("flow labels", [p.flow for p in r.p], [1, 2, 3, 4, 5])
    r.want("rest", len({l4(p) for p in r.p}), 1)
    r.want("payload", l4(r.p[0])[8:], bytes(12))


def path_mtu(r):
    completed(r)
    large = [p for p in r.p if p.ttl == 255]
    r.want("sizes", [p.len for p in large], [1500, 1400])
    r.want("protocol", len({p.proto for p in r.p}), 1)
    found = re.search(r"pmtud: ver \d+ ifmtu 1500, pmtu 1400", r.d)
    r.want("found", found is not None, True)


def raw_tcp(r):
    completed(r)
    for n, p in enumerate(probes_of(r), 1):
        r.want("probe", (p.ttl, p.proto, p.ipid, p.len, l4(p)[:14]),
               (n, 6, n, 40, struct.pack("!HHIIH", 40001, 80, 0, 0, 0x5002)))


def fragment(r):
    for n, p in enumerate(r.p):
        r.want("data", (p.len, l4(p)[8:]),
               (56, struct.pack("!I", n) + bytes.fromhex("44556677")))


def port_1(r):
    completed(r)
    r.want("ports", {p.sport for p in r.p}, {1})


def port_default(r):
    completed(r)
    r.want("high", all(p.sport & 0x8000 for p in r.p), True)
    r.want("ports", len({p.sport for p in r.p}), 1)


def traffic_class(n):
    return lambda r: r.want("class", {p.tos for p in r.p}, {n})


def csum_ffff(r):
    completed(r)
    r.want("checksums", {p.csum for p in r.p}, {0xffff})


def source_route(*hops):
    """Sent to the first; the others and the target are in the option."""
    def check(r):
        want = bytes([131, 3 + 4 * len(hops), 4]) + b"".join(
            bytes(map(int, a.split("."))) for a in (*hops[1:], r.target))
        for p in r.p:
            option = p.bytes[20:(p.bytes[0] & 15) * 4]
            r.want("option", (option[:len(want)], option[len(want):]),
                   (want, b"\0"))
        if "hops" in r.r:
            completed(r)
            r.want("ttls", r.ttls(), [1, 2, 3, 4, 5])
            r.want("routers", len(r.r["hops"]), 5)
        else:
            replied(r)
    return check


# --- ping --------------------------------------------------------------------

def replied(r):
    r.want("from", {host(r, a["from"]) for a in r.r["responses"]}, {r.target})
    r.want("seq", sorted({a["seq"] for a in r.r["responses"]}), [0, 1, 2])


def varies_sport(r):
    replied(r)
    r.want("ports", [struct.unpack("!HH", l4(p)[:4]) for p in probes_of(r)],
           [(50001, 80), (50002, 80), (50003, 80)])


def probes_of(r):
    """Without resets by the kernel."""
    return [p for p in r.p if p.proto != 6 or not l4(p)[13] & 4]


def chosen_sum(size, data):
    def check(r):
        replied(r)
        r.want("checksums", {p.csum for p in r.p}, {4660})
        r.want("sizes", {p.len for p in r.p}, {size})
        r.want("data", {p.payload[2:] for p in r.p}, {data})
    return check


def fast(r):
    replied(r)
    r.gaps_of(0.049)
    r.want("span", r.p[-1].ts - r.p[0].ts < 0.9, True)


def own_address(r):
    own = bytes((192, 0, 2, 1)) if r.p[0].version == 4 else \
        bytes.fromhex("20010db8000000010000000000000001")
    data = l4(r.p[0])
    r.want("payload", data[(data[12] >> 4) * 4:], own)


def has_route(r):
    replied(r)
    for a in r.r["responses"]:
        r.want("route", len(a.get("RR", ())), 9)
        r.want("host", r.target in a.get("RR", ()), True)


def has_stamps(r):
    replied(r)
    for a in r.r["responses"]:
        r.want("stamps", len(a.get("tsandaddr", ())), 4)


def size(n):
    def check(r):
        replied(r)
        r.want("sizes", {p.len for p in probes_of(r)}, {n})
    return check


def offers_mss(r):
    size(44 if ":" not in r.target else 64)(r)
    for p in probes_of(r):
        r.want("option", (l4(p)[12] >> 4, l4(p)[20:].hex()), (6, "02040218"))
    # SYN and ACK: the host read the option.
    r.want("flags", {a["tcp_flags"] for a in r.r["responses"]}, {0x12})


def pattern(text):
    def check(r):
        replied(r)
        for p in probes_of(r):
            data = l4(p)
            n = (data[12] >> 4) * 4 if p.proto == 6 else 8
            wanted = bytes.fromhex(text) * 200
            r.want("data", data[n:], wanted[:len(data) - n])
    return check


def stamps_then(text):
    def check(r):
        replied(r)
        for p in r.p:
            r.want("data", (p.len, l4(p)[12:].hex()), (
                28 + 12 + len(text) // 2, "0" * 16 + text))
    return check


def numbered_errors(r):
    """By the IPv4 id that is quoted."""
    r.want("seq", [a["seq"] for a in r.r["responses"]], [0, 1, 2])


ROWS = [
    ("trace", "46", "-Q -q 3 -H 0.1", wait_hop),
    ("trace", "46", "-O back -m 7 -f 2", back),
    ("trace", "46", "-O back -m 7 -f 2 -P icmp-paris", back),
    ("trace", "46", "-O nortt", no_rtt),
    ("trace", "46", "-O nortt -P tcp", no_rtt),
    ("trace", "46", "-N 3 -Q", all_of(2)),
    ("trace", "46", "-c 95 -N 3", all_of(6)),
    ("trace", "46", "-N 3 -P tcp", completed),
    ("trace", "46", "-N 3 -P tcp-ack -d 80", completed),
    ("trace", "46", "-f 3 -Z own<n> -P tcp -d 80", completed),
    ("trace", "46", "-f 3 -Z own<n> -P tcp-ack", completed),
    ("trace", "6", "-O const-payload", const_payload),
    ("trace", "6", "-O const-payload -s 40001 -d 40000", const_payload),
    ("trace", "46", "-M -P icmp", path_mtu),
    ("trace", "46", "-M -P icmp-paris", path_mtu),
    ("trace", "46", "-M -P tcp-ack", path_mtu),
    ("trace", "46", "-M -N 2", path_mtu),
    ("trace", "4", "-O raw -P tcp -s 40001 -d 80", raw_tcp),
    ("trace", "6", "-o 5 -w 1 -q 1 -g 2 -p 0011223344556677", fragment),
    ("trace", "46", "-s 1", port_1),
    ("trace", "46", "-s 1 -P udp", port_1),
    ("trace", "46", "-s 0", port_default),
    ("trace", "46", "-t 32", traffic_class(32)),
    ("trace", "46", "-t 255 -P icmp-paris", traffic_class(255)),
    ("trace", "46", "-t 1 -P tcp", traffic_class(1)),
    ("trace", "46", "-P icmp-paris -d 65535", csum_ffff),
    ("trace", "4", "-O lsrr=192.0.2.14", source_route("192.0.2.14")),
    ("trace", "4", "-P icmp -O lsrr=192.0.2.6,192.0.2.14",
     source_route("192.0.2.6", "192.0.2.14")),
    ("ping", "46", "-P udp-sport -d 80 -F 50001", varies_sport),
    ("ping", "46", "-P tcp-syn-sport -d 80 -F 50001", varies_sport),
    ("ping", "4", "-C 4660", chosen_sum(84, bytes(54))),
    ("ping", "6", "-C 4660", chosen_sum(104, bytes(54))),
    ("ping", "4", "-C 4660 -B 01020304", chosen_sum(32, b"\3\4")),
    ("ping", "46", "-i 0.05", fast),
    ("ping", "46", "-O spoof -S <spoof> -P tcp-rst", own_address),
    ("ping", "46", "-O spoof -S <spoof> -P tcp-synack", own_address),
    ("ping", "4", "-R -P tcp-ack", has_route),
    ("ping", "4", "-R -O dl", has_route),
    ("ping", "4", "-R -P tcp-syn -d 80", has_route),
    ("ping", "4", "-T tsandaddr -P tcp-ack", has_stamps),
    ("ping", "4", "-b 10", size(38)),
    ("ping", "6", "-b 10 -P udp", size(58)),
    ("ping", "4", "-b 0 -P tcp-ack", size(40)),
    ("ping", "46", "-O mss=536 -P tcp-syn -d 80", offers_mss),
    ("ping", "46", "-O mss=536 -P tcp-syn-sport -d 80", offers_mss),
    ("ping", "4", "-O raw -O dltx -O sockrx", size(84)),
    ("ping", "46", "-p 0123456789abcdef0123456789abcdef -s 300 -P tcp-ack",
     pattern("0123456789abcdef0123456789abcdef")),
    ("ping", "46", "-p 0123456789abcdef0123456789abcdef -s 300",
     pattern("0123456789abcdef0123456789abcdef")),
    ("ping", "4", "-P icmp-time -s 100", size(100)),
    ("ping", "4", "-P icmp-time -B 00112233445566778899aabbccddeeff",
     stamps_then("ccddeeff")),
    ("ping", "46", "-z 32", traffic_class(32)),
    ("ping", "46", "-z 255 -P tcp-ack", traffic_class(255)),
    ("ping", "4", "-m 2 -P tcp-syn", numbered_errors),
    ("ping", "4", "-m 2 -P tcp-synack", numbered_errors),
    ("ping", "4", "-O lsrr=192.0.2.22", source_route("192.0.2.22")),
    ("ping", "4", "-P udp -O lsrr=192.0.2.2,192.0.2.22",
     source_route("192.0.2.2", "192.0.2.22")),
    ("ping", "4", "-P tcp-ack -O lsrr=192.0.2.13,192.0.2.21,192.0.2.22",
     source_route("192.0.2.13", "192.0.2.21", "192.0.2.22")),
]
SPOOF = {"4": "198.51.100.10", "6": "2001:db8:0:7::10"}


def runs():
    """(command, options, target, check), each with a target of its own."""
    n = 20
    for kind, families, options, check in ROWS:
        for family in families:
            n += 1
            words = options.replace("<n>", str(n)).replace(
                "<spoof>", SPOOF[family])
            if kind == "ping" and "-i " not in words:
                words = "-i 0.2 " + words
            if kind == "ping":
                words = "-c 3 " + words
            target = "11.1.0.%d" % n if family == "4" else \
                "2001:db8:11::%x" % n
            yield kind, words, target, check


def sent_to(target, options, probes):
    """By target: those with a source route go elsewhere first."""
    via = re.search(r"lsrr=([0-9.]+)", options)
    if via is None:
        return probes.get(target, [])
    last = bytes(map(int, target.split(".")))
    return [p for p in probes.get(via.group(1), [])
            if last in p.bytes[20:(p.bytes[0] & 15) * 4]]


def check_all(stem):
    probes = conformance.probes(stem)
    records = {r["dst"]: r for line in open(stem + ".json")
               for r in [json.loads(line)] if r["type"] in ("trace", "ping")}
    dumps = {}
    for text in open(stem + ".dump").read().split("\n\n"):
        m = re.search(r"(?:traceroute|ping) from \S+ to (\S+)", text)
        if m:
            dumps[m.group(1)] = text
    n = 0
    for kind, options, target, check in runs():
        r = Run()
        r.options, r.target = kind + " " + options, target
        r.p = sent_to(target, options, probes)
        r.r, r.d = records.get(target), dumps.get(target, "")
        n += 1
        if not r.p or r.r is None:
            bad("%s: %d probes, %s", r.options, len(r.p),
                "recorded" if r.r else "not recorded")
            continue
        if "lsrr" not in options:
            for p in r.p:
                sound(options, p)
        check(r)
    print("%d commands" % n)
    for e in conformance.errors:
        print(e[:1000])
    sys.exit(len(conformance.errors) != 0)


# Tested elsewhere: results while it runs, names of addresses.
ELSEWHERE = {"trace": "-y|-O ptr", "ping": "-y"}


def sources_options(folder, kind):
    """Those in the tables of its source: "-c", "-O dl", ..."""
    text = open("%s/../../prober/tech/%s_options.c" % (folder, kind)).read()
    letters = re.findall(r"^    {'(\w)', OPT_", text, re.M)
    table = re.search(r"^} words\[\] = {$(.*?)^};", text, re.M | re.S)
    words = re.findall(r'^    {"([\w-]+)"', table.group(1), re.M)
    if len(letters) < 20 or len(words) < 4:
        bad("%s: which are the options?", kind)
    return ["-" + c for c in letters] + ["-O " + w for w in words] + \
        ["-O lsrr"]


def check_options(folder):
    for kind in ("trace", "ping"):
        text = open("%s/%s.rows" % (folder, kind)).read() + " ".join(
            options for k, _, options, _ in ROWS if k == kind)
        text += " -c 3 -i 0.2 -U" if kind == "ping" else " -U"
        for option in sources_options(folder, kind):
            if not re.search(r"(^|\s)%s\b" % re.escape(option), text) and \
                    not re.fullmatch(ELSEWHERE[kind], option):
                bad("%s %s is in no table", kind, option)
    for e in conformance.errors:
        print(e)
    sys.exit(len(conformance.errors) != 0)


if sys.argv[1] == "commands":
    for kind, options, target, _ in runs():
        print(kind, options, target)
elif sys.argv[1] == "options":
    check_options(sys.argv[2])
else:
    check_all(sys.argv[2])
