"""Packets from a capture file (tcpdump -w), taken apart as far as probes and
their replies go.  Ethernet (also with a VLAN tag), raw IP, cooked.

    for p in pcap.packets("cap.pcap"):
        if p.kind == "udp" and p.src == monitor: ...
"""
import bisect
import ipaddress
import itertools
import struct

LINK_ETHERNET, LINK_RAW, LINK_COOKED = 1, (12, 14, 101), 113


class Packet:
    """One IP packet.  kind: udp, echo, reply, error, other.  An error has the
    quoted probe, a Packet too, in quote."""
    ts = 0.0
    kind = "other"
    quote = None
    id = seq = icmp_type = icmp_code = sport = dport = csum = 0
    payload = b""
    mac_dst = b""


def transport(p, proto, b):
    if proto == 17 and len(b) >= 8:
        p.kind = "udp"
        p.sport, p.dport, p.udp_len, p.csum = struct.unpack("!4H", b[:8])
        p.payload = b[8:]
    elif proto in (1, 58) and len(b) >= 8:
        p.icmp_type, p.icmp_code, p.csum, p.id, p.seq = struct.unpack(
            "!BBHHH", b[:8])
        p.payload = b[8:]
        if p.icmp_type == (8 if proto == 1 else 128):
            p.kind = "echo"
        elif p.icmp_type == (0 if proto == 1 else 129):
            p.kind = "reply"
        elif p.icmp_type in ((3, 11, 12) if proto == 1 else (1, 2, 3, 4)):
            p.kind = "error"
            p.quote = parse(b[8:])


def parse(b):
    """The packet that begins with an IP header, or None."""
    p = Packet()
    p.bytes = b
    if len(b) >= 20 and b[0] >> 4 == 4:
        p.version, p.tos, p.ttl, proto = 4, b[1], b[8], b[9]
        p.len, p.ipid, frag = struct.unpack("!HHH", b[2:8])
        p.df = frag >> 14 & 1
        p.fragment = frag & 0x3fff
        p.src, p.dst = b[12:16], b[16:20]
        rest = b[(b[0] & 15) * 4:]
        later = frag & 0x1fff
    elif len(b) >= 40 and b[0] >> 4 == 6:
        p.version, p.tos, p.ttl, proto = 6, (b[0] << 4 | b[1] >> 4) & 255, \
            b[7], b[6]
        p.flow = (b[1] & 15) << 16 | b[2] << 8 | b[3]
        p.len = 40 + struct.unpack("!H", b[4:6])[0]
        p.ipid, p.df, p.fragment, later = 0, 1, 0, 0
        p.src, p.dst = b[8:24], b[24:40]
        rest = b[40:]
        if proto == 44 and len(rest) >= 8:
            proto, off = rest[0], struct.unpack("!H", rest[2:4])[0]
            p.fragment, later = off or 1, off & 0xfff8
            rest = rest[8:]
    else:
        return None
    p.proto = proto
    p.src, p.dst = (str(ipaddress.ip_address(a)) for a in (p.src, p.dst))
    if not later:
        transport(p, proto, rest[:p.len])
    return p


def ip_of(link, b):
    if link == LINK_ETHERNET:
        b, mac = b[12:], b[:6]
        if b[:2] == b"\x81\x00":
            b = b[4:]
        return (b[2:] if b[:2] in (b"\x08\x00", b"\x86\xdd") else b""), mac
    if link == LINK_COOKED:
        return b[16:], b""
    return b, b""


def packets(path):
    with open(path, "rb") as f:
        head = f.read(24)
        end = "<" if head[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") \
            else ">"
        nano = head[:4] in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d")
        link = struct.unpack(end + "I", head[20:24])[0] & 0xffff
        while True:
            rec = f.read(16)
            if len(rec) < 16:
                return
            sec, frac, caplen, _ = struct.unpack(end + "4I", rec)
            b, mac = ip_of(link, f.read(caplen))
            p = parse(b) if b else None
            if p is not None:
                p.ts = sec + frac / (1e9 if nano else 1e6)
                p.mac_dst = mac
                yield p


class Silences:
    """Where nothing at all was sent for at least LEAST_S, of the sorted TIMES
    of all that a program sent.

    The Prober takes the time once a turn: where the machine keeps it, or the
    kernel's queues, from their work, packets leave later than it thinks.  Then
    the wire is silent for so long before them."""

    def __init__(self, times, least_s=0.02):
        self.at = [(a, b) for a, b in zip(times, times[1:])
                   if b - a >= least_s]
        self.ends = [b for _, b in self.at]

    def between(self, begin, end):
        """Seconds of them from BEGIN to END."""
        first = bisect.bisect_left(self.ends, begin)
        return sum(max(0, min(b, end) - max(a, begin))
                   for a, b in itertools.takewhile(
                       lambda s: s[0] < end, self.at[first:]))
