"""What the conformance tests share: the probes of two programs, from captures,
and their records, from what scamper's own tools print, compared field by field.

    conformance.bad("%s: ...", x)   one more complaint
    conformance.commands(FILE)      one after the other; a complaint is about
                                    the one at hand
    conformance.finish(SUMMARY)     prints all, ends; FILE.again has the
                                    commands that there were complaints about
"""
import json
import os
import struct
import sys

import pcap

errors = []
again = {}
at_hand = None


def bad(fmt, *args):
    errors.append(fmt % args)
    again[at_hand] = True


def checksum(data, start=0):
    data += b"\0" * (len(data) % 2)
    s = start + sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


def l4(p):
    """The bytes behind the IP header."""
    return p.bytes[40 if p.version == 6 else (p.bytes[0] & 15) * 4:p.len]


def is_fragment(p):
    """Has it an IPv6 fragment header?"""
    return p.version == 6 and p.bytes[6] == 44


def sound(who, p):
    """Checksums, lengths."""
    data, b = l4(p), p.bytes
    pseudo = b""
    if p.proto != 1:
        addrs = b[8:40] if p.version == 6 else b[12:20]
        pseudo = addrs + struct.pack("!IHBB", len(data), 0, 0, p.proto)
    if not is_fragment(p) and checksum(pseudo + data) != 0xffff:
        bad("%s: %s: wrong transport checksum", who, p.dst)
    if p.version == 4 and checksum(b[:(b[0] & 15) * 4]) != 0xffff:
        bad("%s: %s: wrong header checksum", who, p.dst)


def probes(stem):
    """Packets of STEM.pcap by destination, in order."""
    out = {}
    for p in pcap.packets(stem + ".pcap"):
        out.setdefault(p.dst, []).append(p)
    return out


def json_records(stem, kind):
    """Records of that type in STEM.json."""
    for line in open(stem + ".json"):
        r = json.loads(line)
        if r["type"] == kind:
            yield r


def same(about, what, theirs, ours):
    """Complain of the first difference of two lists; of dictionaries only what
    is not the same is shown."""
    for i in range(max(len(theirs), len(ours))):
        a, b = theirs[i:i + 1], ours[i:i + 1]
        if a == b:
            continue
        if a and b and isinstance(a[0], dict):
            keys = [k for k in {**a[0], **b[0]} if a[0].get(k) != b[0].get(k)]
            a, b = ({k: v.get(k) for k in keys} for v in (a[0], b[0]))
        bad("%s: %s %d of %d and %d:\n\t%s\n\t%s", about, what, i, len(theirs),
            len(ours), a, b)
        return


def commands(path):
    """(options, target) of each line."""
    global at_hand, source
    source = path
    for at_hand in open(path):
        words = at_hand.split()
        yield " ".join(words[1:-1]), words[-1]
    at_hand = None


def finish(summary):
    print(summary)
    with open(source + ".again", "w") as f:
        f.writelines(again if None not in again else open(source))
    for e in errors[:int(os.environ.get("CONFORMANCE_ERRORS", 30))]:
        print(e[:1000])
    sys.exit(len(errors) != 0)
