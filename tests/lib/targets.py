#!/usr/bin/env python3
"""Print COUNT different random targets of FAMILY (4 or 6), one a line.

usage: targets.py FAMILY COUNT [SEED]

They are spread over prefixes as real target lists are; no special-purpose
addresses.  For the embedded Internet of a test only.
"""
import ipaddress
import random
import sys


def ipv4(rng):
    return ipaddress.ip_address(
        rng.randrange(11, 99) << 24 | rng.randrange(1 << 24))


def ipv6(rng):
    return ipaddress.ip_address(
        0x2400 << 112 | rng.randrange(1 << 32) << 80 | rng.randrange(1, 1 << 64))


def main():
    family, count = sys.argv[1], int(sys.argv[2])
    rng = random.Random(sys.argv[3] if len(sys.argv) > 3 else "targets")
    seen = set()
    while len(seen) < count:
        target = ipv4(rng) if family == "4" else ipv6(rng)
        if target not in seen:
            seen.add(target)
            print(target)


main()
