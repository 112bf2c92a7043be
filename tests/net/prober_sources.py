#!/usr/bin/env python3
"""Helper of prober-sources.test: files as sources of a daemon on a port of
127.0.0.1, and where their results go.

    prober_sources.py cycles PORT OUT    cycles of a short file, in step with
                                         its results in OUT
"""
import json
import sys
import time

from prober_daemon import Client, is_so

WAIT = 60  # seconds: longer is a hang


def wait_until(what, true):
    """TRUE(), as soon as it is; what it waited for if it never is."""
    end = time.monotonic() + WAIT
    while not (got := true()):
        if time.monotonic() > end:
            sys.exit("FAILED: never: " + what)
        time.sleep(0.05)
    return got


def records(out):
    with open(out) as f:
        return [json.loads(x) for x in f if x.endswith("\n")]


def count(out, kind):
    return sum(r["type"] == kind for r in records(out))


def cycles(port, out):
    c = Client(port)
    c.ask("source add name u file one cycles 0 command "
          '"ping -c 2 -i 0.1 -W 0.1"')
    for _ in range(4):
        is_so("source cycle", c.ask("source cycle u") == ["OK"])
    wait_until("six pings", lambda: count(out, "ping") >= 6)
    is_so("source delete", c.ask("source delete u") == ["OK"])
    wait_until("the end", lambda: c.ask("source list") == ["OK"])
    c.ask("shutdown done")
    c.end()
    # Two addresses would be held behind each other; a cycle begins when those
    # of the one before have, and four more were asked for.
    n, m = count(out, "cycle-start"), count(out, "ping")
    is_so("%d cycles for %d pings" % (n, m), n <= m + 6)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
