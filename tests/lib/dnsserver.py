#!/usr/bin/env python3
"""dnsserver: a name server for tests, on UDP, that answers or misbehaves as told.

    dnsserver.py ADDRESS ZONE LOG

Prints "ready" when it listens on port 53 of ADDRESS.  ZONE has a line for an
address and what becomes of a question for its PTR record; `default' is for all
others, and ZONE is read again whenever it has changed:

    192.0.2.1       name r1.example.net
    192.0.2.2       ttl 1 r2.example.net      for so many seconds
    192.0.2.3       nxdomain 30               with the SOA's minimum
    192.0.2.4       nodata | servfail | refused | truncated | silent
    192.0.2.5       silent 1 r5.example.net   the first question only
    192.0.2.6       after 0.5 r6.example.net  seconds
    192.0.2.7       alias r7.example.net      a CNAME in front of it (RFC 2317)
    192.0.2.8       many 30 r8.example.net    so many records, r8 the first
    192.0.2.9       labels evil"\\x00\\n.a b   the bytes of labels, escaped
    192.0.2.10      huge | loop | short | junk | wrongid | wrongname | empty
    default         auto                      h-192-0-2-1.example.net

LOG gets a line of JSON per question: when (by the monotonic clock), from which
address and port, id, flags, name, type, additional records, and the address."""
import ast
import ipaddress
import json
import os
import random
import selectors
import socket
import struct
import sys
import time

PTR, SOA, CNAME, IN = 12, 6, 5, 1
NXDOMAIN, SERVFAIL, REFUSED = 3, 2, 5
TRUNCATED = 0x0200


def wire(labels):
    """A name on the wire, of a text or of a list of labels' bytes."""
    if isinstance(labels, str):
        labels = [x.encode() for x in labels.rstrip(".").split(".") if x]
    return b"".join(bytes([len(x)]) + x for x in labels) + b"\0"


def address_of(qname):
    """The address that an in-addr.arpa or ip6.arpa name stands for, or None."""
    words = qname.lower().rstrip(".").split(".")
    try:
        if words[-2:] == ["in-addr", "arpa"]:
            return str(ipaddress.ip_address(".".join(words[-3::-1])))
        if words[-2:] == ["ip6", "arpa"]:
            n = int("".join(words[-3::-1]), 16)
            return str(ipaddress.ip_address(n.to_bytes(16, "big")))
    except ValueError:
        pass
    return None


class Question:
    def __init__(self, packet):
        self.id, self.flags, self.count, _, _, self.additional = \
            struct.unpack("!6H", packet[:12])
        at, labels = 12, []
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]])
            at += 1 + packet[at]
        self.type, self.cls = struct.unpack("!HH", packet[at + 1:at + 5])
        self.bytes = packet[12:at + 5]
        self.name = b".".join(labels).decode("latin-1")
        self.address = address_of(self.name)

    def answer(self, records=(), rcode=0, flags=0, authority=b"", qid=None):
        body = b"".join(records)
        return struct.pack("!6H", self.id if qid is None else qid,
                           0x8180 | rcode | flags, 1, len(records),
                           1 if authority else 0, 0) + \
            self.bytes + body + authority

    def record(self, data, kind=PTR, ttl=300, owner=b"\xc0\x0c"):
        return owner + struct.pack("!HHIH", kind, IN, ttl, len(data)) + data

    def ptr(self, name, ttl=300):
        return self.answer([self.record(wire(name), ttl=ttl)])

    def soa(self, minimum):
        data = wire("ns.test") + wire("root.test") + \
            struct.pack("!5I", 1, 2, 3, 4, minimum)
        return self.record(data, SOA, minimum)


class Server:
    """What becomes of questions: reply() gives packets and their delays."""

    def __init__(self, zone):
        self.zone, self.stamp, self.rows, self.asked = zone, None, {}, {}

    def rule(self, address):
        stamp = os.stat(self.zone).st_mtime_ns, os.stat(self.zone).st_ino
        if stamp != self.stamp:
            with open(self.zone, encoding="latin-1") as f:
                self.rows = {x[0]: x[1:] for x in
                             (line.split(None, 2) for line in f) if x}
            self.stamp = stamp
        rule = self.rows.get(address) or self.rows.get("default", ["nxdomain"])
        return rule[0], rule[1].rstrip("\n") if len(rule) > 1 else ""

    def reply(self, q):
        word, arg = self.rule(q.address)
        self.asked[q.address] = self.asked.get(q.address, 0) + 1
        delay = 0
        if word == "silent" and arg:
            times, arg = arg.split(None, 1)
            word = "silent" if self.asked[q.address] <= int(times) else "name"
        if word == "after":
            delay, arg = arg.split(None, 1)
            word = "name"
        made = getattr(self, "do_" + word)(q, arg)
        return made, float(delay)

    def do_auto(self, q, _):
        return q.ptr("h-%s.example.net" %
                     q.address.replace(".", "-").replace(":", "-"))

    def do_name(self, q, arg):
        return q.ptr(arg)

    def do_ttl(self, q, arg):
        ttl, name = arg.split()
        return q.ptr(name, int(ttl))

    def do_nxdomain(self, q, arg):
        return q.answer(rcode=NXDOMAIN,
                        authority=q.soa(int(arg)) if arg else b"")

    def do_nodata(self, q, _):
        return q.answer(authority=q.soa(300))

    def do_servfail(self, q, _):
        return q.answer(rcode=SERVFAIL)

    def do_refused(self, q, _):
        return q.answer(rcode=REFUSED)

    def do_truncated(self, q, _):
        return q.answer(flags=TRUNCATED)

    def do_silent(self, q, _):
        return None

    def do_alias(self, q, arg):
        target = wire("1.0-63.2.0.192.in-addr.arpa")
        return q.answer([q.record(target, CNAME),
                         q.record(wire(arg), owner=target)])

    def do_many(self, q, arg):
        n, name = arg.split()
        return q.answer([q.record(wire("x%d.%s" % (i, name) if i else name))
                         for i in range(int(n))])

    def do_labels(self, q, arg):
        raw = ast.literal_eval("b'%s'" % arg.replace("'", "\\'"))
        return q.ptr(raw.split(b"."))

    def do_huge(self, q, _):
        return q.ptr([b"a" * 63] * 3 + [b"b" * 61])

    def do_loop(self, q, _):
        return q.answer([q.record(struct.pack("!H", 0xc000 | 12 +
                                              len(q.bytes) + 12))])

    def do_short(self, q, _):
        return q.ptr("r.example.net")[:-4]

    def do_junk(self, q, _):
        return struct.pack("!H", q.id) + b"\x81\x80" + bytes(
            random.randrange(256) for _ in range(300))

    def do_wrongid(self, q, _):
        return q.answer([q.record(wire("wrong.id"))], qid=q.id ^ 1)

    def do_wrongname(self, q, _):
        q.bytes = wire("9.9.9.9.in-addr.arpa") + struct.pack("!HH", PTR, IN)
        return q.ptr("wrong.name")

    def do_empty(self, q, _):
        return q.ptr("")


def main(address, zone, log):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((address, 53))
    server, later, n = Server(zone), [], 0
    sel = selectors.DefaultSelector()
    sel.register(sock, selectors.EVENT_READ)
    with open(log, "a", buffering=1, encoding="latin-1") as out:
        print("ready", flush=True)
        while True:
            due = min(later)[0] - time.monotonic() if later else None
            if sel.select(None if due is None else max(due, 0)):
                packet, peer = sock.recvfrom(65535)
                q, n = Question(packet), n + 1
                out.write(json.dumps({
                    "time": time.monotonic(), "from": peer[0],
                    "port": peer[1], "id": q.id, "flags": q.flags,
                    "name": q.name, "type": q.type,
                    "additional": q.additional,
                    "address": q.address}) + "\n")
                made, delay = server.reply(q)
                if made is not None:
                    later.append((time.monotonic() + delay, n, made, peer))
            now = time.monotonic()
            for row in sorted(later):
                if row[0] <= now:
                    sock.sendto(row[2], row[3])
                    later.remove(row)


if __name__ == "__main__":
    main(*sys.argv[1:])
