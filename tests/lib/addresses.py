#!/usr/bin/env python3
"""Print random unicast addresses, one per line, the same for the same seed.

	addresses.py 4|6 COUNT [SEED]
"""
import ipaddress
import random
import sys

SKIP = [ipaddress.ip_network(n) for n in
        ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.0.2.0/24")]


def address(family, rng):
    if family == 6:
        # Half from one provider, half from anywhere.
        top = 0x20010db8 if rng.random() < .5 else rng.randrange(
            0x24000000, 0x2c100000)
        return ipaddress.IPv6Address(top << 96 | rng.getrandbits(96))
    while True:
        a = ipaddress.IPv4Address(rng.randrange(1 << 24, 224 << 24))
        if not any(a in n for n in SKIP):
            return a


def main(argv):
    family, count = int(argv[0]), int(argv[1])
    rng = random.Random(int(argv[2]) if len(argv) > 2 else 1)
    seen = set()
    while len(seen) < count:
        a = address(family, rng)
        if a not in seen:
            seen.add(a)
            print(a)


if __name__ == "__main__":
    main(sys.argv[1:])
