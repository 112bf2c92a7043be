#!/usr/bin/env python3
"""Helper of prober-rotate.test.

    prober_rotate.py feed RATE        RATE addresses a second as commands on
                                      standard output, until done.flag is there
    prober_rotate.py rotate PID N     ask PID for rotations until N more
                                      segments are sealed
    prober_rotate.py check            JSON on standard input against `asked'
"""
import ipaddress
import json
import os
import signal
import sys
import time

CYCLE = 1700000000


def address(i):
    """The I-th target: its bits scattered, so that paths are many."""
    if i % 4 == 3:
        return str(ipaddress.ip_address(
            0x2400 << 112 | (i * 40503 % (1 << 32)) << 80 | i + 1))
    return str(ipaddress.ip_address(
        (11 << 24) + (i * 2654435761 % (1 << 24)) % (1 << 24) +
        ((i >> 24) << 24)))


def feed(rate):
    start, n = time.monotonic(), 0
    out = sys.stdout
    with open("asked", "w") as asked:
        out.write("begin 1 %d name=rotate probe trace -w 1 -q 1 -g 2\n"
                  % CYCLE)
        while not os.path.exists("done.flag"):
            due = int((time.monotonic() - start) * int(rate))
            for i in range(n, due):
                out.write("ip %s 1 %d\n" % (address(i), CYCLE))
                asked.write(address(i) + "\n")
            n = due
            out.flush()
            time.sleep(0.02)
        out.write("end 1 %d\n" % CYCLE)


def sealed():
    return int(open("spool/state/next").read().split()[1])


def rotate(pid, n):
    """One request at a time: the next when this one has been done."""
    begin, asked = sealed(), 0
    start = time.monotonic()
    while sealed() - begin < int(n):
        before = os.stat("spool/state/writer").st_mtime_ns
        os.kill(int(pid), signal.SIGUSR1)
        asked += 1
        limit = time.monotonic() + 20
        while os.stat("spool/state/writer").st_mtime_ns == before:
            if time.monotonic() > limit:
                sys.exit("request %d was not answered in 20 s" % asked)
            time.sleep(0.0005)
    t = time.monotonic() - start
    print("%d requests in %.1f s" % (asked, t))


def check():
    asked = [line.rstrip() for line in open("asked")]
    got = {}
    for line in sys.stdin:
        t = json.loads(line)
        if t["type"] == "trace":
            got[t["dst"]] = got.get(t["dst"], 0) + 1
    errors = ["%s: %d records" % (a, got.get(a, 0))
              for a in asked if got.get(a, 0) != 1]
    errors += ["%s: not asked" % a for a in set(got) - set(asked)]
    for e in errors[:20]:
        print(e)
    print("%d addresses asked, %d recorded" % (len(asked), len(got)))
    if len(set(asked)) != len(asked):
        sys.exit("the targets are not different ones")
    sys.exit(len(errors) != 0)


{"feed": feed, "rotate": rotate, "check": check}[sys.argv[1]](*sys.argv[2:])
