#!/usr/bin/env python3
"""Helper of prober-frames.test and prober-offload.test: a link, by hand.

    prober_frames.py serve INTERFACE...		answer echo requests, until told
    prober_frames.py judge JSON NETWORK...	were the answers counted right?
    prober_frames.py watch INTERFACE		look on, until told
    prober_frames.py port PORT			UDP is echoed, TCP accepted

What an address is answered with is told by its last byte, see CASES.  Each probe
that comes in must have its checksums, all of them: else a line is printed.  Who
watches prints a line for each kind of packet as well, the first time: whether its
checksums are right, wrong, or marked by the kernel as not made yet.
"""
import json
import select
import socket
import struct
import sys

SOL_PACKET, PACKET_AUXDATA, CSUM_NOT_READY = 263, 8, 8
OTHER = b"\x02\0\0\0\0\x99"


def csum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s ^ 0xffff


def pseudo(ip, proto, l4):
    """What a transport checksum of this packet covers beside itself."""
    if ip[0] >> 4 == 6:
        return ip[8:40] + struct.pack("!II", len(l4), proto)
    return ip[12:20] + struct.pack("!HH", proto, len(l4))


def split(ip):
    """Header, protocol, transport."""
    if ip[0] >> 4 == 6:
        return ip[:40], ip[6], ip[40:40 + int.from_bytes(ip[4:6], "big")]
    n = (ip[0] & 15) * 4
    return ip[:n], ip[9], ip[n:int.from_bytes(ip[2:4], "big")]


def complain(ip):
    """What is wrong with the checksums of a probe."""
    head, proto, l4 = split(ip)
    if ip[0] >> 4 == 4 and csum(head) != 0:
        return "IP header"
    if proto in (6, 17, 58) and csum(pseudo(ip, proto, l4) + l4) != 0:
        return "transport"
    if proto == 1 and csum(l4) != 0:
        return "ICMP"
    return None


def echo_reply(ip, spoil_ip=0, spoil_icmp=0):
    head, proto, l4 = split(ip)
    if ip[0] >> 4 == 6:
        head = head[:7] + b"\x40" + head[24:40] + head[8:24]
        l4 = b"\x81\0\0\0" + l4[4:]
        c = csum(pseudo(head, proto, l4) + l4)
    else:
        head = head[:8] + b"\x40\x01\0\0" + head[16:20] + head[12:16]
        c = csum(head) ^ spoil_ip
        head = head[:10] + struct.pack("!H", c) + head[12:]
        l4 = b"\0\0\0\0" + l4[4:]
        c = csum(l4)
    return head + l4[:2] + struct.pack("!H", c ^ spoil_icmp) + l4[4:]


def is_echo(ip):
    head, proto, l4 = split(ip)
    return proto == (58 if ip[0] >> 4 == 6 else 1) and \
        l4[0] == (128 if ip[0] >> 4 == 6 else 8)


def ether(ip):
    return b"\x86\xdd" if ip[0] >> 4 == 6 else b"\x08\x00"


def tag(vlan, prio=0, kind=b"\x81\x00"):
    return kind + struct.pack("!H", prio << 13 | vlan)


# Last byte: what comes for a probe (type and packet), how often that counts.
# A tag of 2 or 3 bits' priority looks like the first byte of an IP header.
CASES = {
    1: ("as it should be", 1, lambda q, r: [ether(q) + r()]),
    2: ("VLAN 0, priority 5", 1, lambda q, r: [tag(0, 5) + ether(q) + r()]),
    3: ("of VLAN 100, and without a tag", 1, lambda q, r: [
        tag(100) + ether(q) + r(), ether(q) + r()]),
    4: ("of VLAN 100", 0, lambda q, r: [tag(100) + ether(q) + r()]),
    5: ("like IP, in a second tag", 0, lambda q, r: [
        tag(0) + b"\x81\x00" + r()]),
    6: ("like IP, of another type", 0, lambda q, r: [b"\x12\x34" + r()]),
    7: ("IP header checksum wrong", 0, lambda q, r: [
        ether(q) + r(spoil_ip=0x0100)]),
    8: ("ICMP checksum wrong", 1, lambda q, r: [
        ether(q) + r(spoil_icmp=0x0100)]),
    9: ("twice, from the net", 2, lambda q, r: [ether(q) + r()] * 2),
    10: ("802.1ad VLAN 0", 1, lambda q, r: [
        tag(0, 3, b"\x88\xa8") + ether(q) + r()]),
    11: ("of 802.1ad VLAN 5", 0, lambda q, r: [
        tag(5, 2, b"\x88\xa8") + ether(q) + r()]),
    12: ("to another host", 0, lambda q, r: [ether(q) + r()]),
}


def answer(sock, frame):
    ip = frame[14:]
    wrong = complain(ip)
    if wrong is not None:
        print("a probe's %s checksum is wrong" % wrong, flush=True)
    if not is_echo(ip):
        return
    case = ip[39] if ip[0] >> 4 == 6 else ip[19]
    to = OTHER if case == 12 else frame[6:12]

    def reply(**spoil):
        return echo_reply(ip, **spoil)
    for rest in CASES[case][2](ip, reply):
        sock.send(to + frame[:6] + rest)


def ours(ip):
    """Of the test's, and not a neighbour's or the system's own."""
    if ip[0] >> 4 == 6:
        return ip[24:26] == b"\xfd\0" and ip[6] in (6, 17, 58)
    return ip[0] >> 4 == 4 and ip[16] == 10


def serve(interfaces):
    socks = []
    for name in interfaces:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        s.bind((name, 3))
        socks.append(s)
    print("ready", flush=True)
    while True:
        for s in select.select(socks, [], [])[0]:
            frame, sender = s.recvfrom(65536)
            if sender[2] == socket.PACKET_OUTGOING or len(frame) < 42:
                continue
            if frame[12:14] in (b"\x08\0", b"\x86\xdd") and ours(frame[14:]):
                answer(s, frame)


def judge(path, networks):
    wanted = {net + str(case) if ":" not in net else net + "%x" % case: case
              for net in networks for case in CASES
              if case != 7 or ":" not in net}
    errors = []
    for line in open(path):
        t = json.loads(line)
        if t["type"] != "ping":
            continue
        name, count, _ = CASES[wanted.pop(t["dst"])]
        # Of the first probe: the last one ends the measurement.
        got = sum(r["seq"] == 0 for r in t["responses"])
        last = sum(r["seq"] == 1 for r in t["responses"])
        if got != count or not min(count, 1) <= last <= count:
            errors.append("%s (%s): counted %d and %d times, should be %d" % (
                t["dst"], name, got, last, count))
    errors += ["%s: no record" % dst for dst in wanted]
    for e in errors:
        print(e)
    sys.exit(len(errors) != 0)


def watch(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    s.bind((interface, 3))
    print("ready", flush=True)
    known = set()
    while True:
        frame, aux, _, sender = s.recvmsg(65536, 100)
        ip = frame[14:]
        if sender[2] == socket.PACKET_OUTGOING or len(frame) < 42 or \
                frame[12:14] not in (b"\x08\0", b"\x86\xdd") or not ours(ip):
            continue
        status = struct.unpack_from("I", aux[0][2])[0]
        kind = "%d %d %s" % (ip[0] >> 4, split(ip)[1], "unmade"
                             if status & CSUM_NOT_READY else
                             "wrong" if complain(ip) else "right")
        if kind not in known:
            print(kind, flush=True)
        known.add(kind)


def serve_port(port):
    socks = []
    for family in (socket.AF_INET, socket.AF_INET6):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            s = socket.socket(family, kind)
            if family == socket.AF_INET6:
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.bind(("", port))
            socks.append(s)
    socks[1].listen()
    socks[3].listen()
    print("ready", flush=True)
    while True:
        for s in select.select(socks[::2], [], [])[0]:
            data, peer = s.recvfrom(2048)
            s.sendto(data, peer)


if __name__ == "__main__":
    if sys.argv[1] == "watch":
        watch(sys.argv[2])
    if sys.argv[1] == "port":
        serve_port(int(sys.argv[2]))
    if sys.argv[1] == "serve":
        serve(sys.argv[2:])
    judge(sys.argv[2], sys.argv[3:])
