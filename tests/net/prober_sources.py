#!/usr/bin/env python3
"""Helper of prober-sources.test: files as sources of a daemon on a port of
127.0.0.1, and where their results go.

    prober_sources.py cycles PORT OUT    cycles of a short file, in step with
                                         its results in OUT
    prober_sources.py socket THEIRS OURS results on a connection: what both of
                                         them say, and records that are equal
    prober_sources.py reader PATH OUT    one who does not read, and one who goes
"""
import json
import subprocess
import sys
import time

from prober_daemon import Client, is_so, plain, shape

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


# --- outfile socket ---------------------------------------------------------

REFUSED = [
    "outfile socket", "outfile socket foo bar", "outfile socket name",
    "outfile socket name x", "outfile socket type json",
]


def json_results(c, n):
    """N cycles of what comes to C, between answers: results in order."""
    got = []
    while n > 0:
        line = c.line()
        is_so("the end", line is not None)
        if line.startswith("{"):
            got.append(shape(json.loads(line)))
            n -= got[-1]["type"] == "cycle-stop"
    return sorted(got, key=str)


def warts_results(c):
    """The same of warts, until the connection ends: a file of them."""
    data = c.f.read()
    with open("got.warts", "wb") as f:
        f.write(data)
    out = subprocess.run(["sc_warts2json", "got.warts"],
                         stdout=subprocess.PIPE, check=True).stdout
    return sorted((shape(json.loads(x)) for x in out.splitlines()), key=str)


def on_socket(port):
    c, m = Client(port), Client(port)
    said = [(line, c.ask(line)) for line in REFUSED]
    said.append(("socket", c.ask("outfile socket name x type JSON")))
    said.append(("again", c.ask("outfile socket name x type json")))
    said.append(("other", m.ask("outfile socket name x type json")))
    said.append(("list", sorted(m.ask("outfile list"))[1:]))
    add = "source add name %s file five outfile %s command \"%s -U %d\""
    said.append(("add", m.ask(add % ("s", "x", "ping -c 1", 1))))
    said.append(("results", json_results(c, 1)))
    said.append(("answers", c.ask("get pps")))
    w = Client(port)
    said.append(("warts", w.ask("outfile socket name w type warts")))
    said.append(("add", m.ask(add % ("t", "w", "trace -w 1", 2))))
    wait_until("t", lambda: m.ask("source list") == ["OK"])
    w.say("exit")
    said.append(("records", warts_results(w)))
    m.say("exit")
    return said


def same(both):
    """The two conversations of BOTH, line by line."""
    bad = 0
    for (line, want), (_, have) in zip(*both, strict=True):
        if want != have:
            print("FAILED: %s\n  scamper: %s\n  prober:  %s" %
                  (line, want, have))
            bad = 1
    sys.exit(bad)


def socket(theirs, ours):
    both = [on_socket(theirs), on_socket(ours)]
    # Theirs has lost a colon.
    for said in both:
        said[:] = [(line, [x.replace("usage outfile", "usage: outfile")
                           if isinstance(x, str) else x for x in answer])
                   for line, answer in said]
    is_so("few results", len(both[1]) > 10)
    same(both)


def reader(path, out):
    """A source whose results nobody reads waits, and no other does."""
    c, m = Client(path), Client(path)
    is_so("type", c.ask("outfile socket name x type zz")[0][:3] == "ERR")
    is_so("text", c.ask("outfile socket name x type text") == ["OK"])
    add = "source add name %s file %s outfile %s command \"ping -c 1 -W 0.1\""
    is_so("add", m.ask(add % ("s", "many", "x")) == ["OK source added"])
    pings = sum(1 for _ in open("many"))
    is_so("other", m.ask(add % ("t", "five", out)) == ["OK source added"])
    wait_until("the other", lambda: count(out, "cycle-stop") == 1)
    # It waits: nothing is in progress, and there is more.
    wait_until("it waits", lambda: m.ask("get window") == ["OK window 0/0"])
    is_so("there is no more", len(m.ask("source list s")) == 2)
    # Its reader takes all but some: those come to whom it is swapped to.
    n = 0
    while n < pings // 2:
        n += (c.line() or "").startswith("ping ")
    is_so("busy", m.ask("outfile close x")[0][:3] == "ERR")
    c.s.close()
    c.f.close()
    is_so("swap", m.ask("outfile swap x " + out) == ["OK"])
    wait_until("the end", lambda: m.ask("source list") == ["OK"])
    is_so("swapped", m.ask("outfile swap x " + out) == ["OK"])
    is_so("close", m.ask("outfile close x") == ["OK"])
    # The name of one that nobody uses goes with its client.
    d = Client(path)
    d.ask("outfile socket name y type json")
    d.say("exit")
    d.end()
    wait_until("y is gone", lambda: len(m.ask("outfile list")) == 2)
    m.ask("shutdown done")
    m.end()
    n += count(out, "ping") - 5
    is_so("%d of %d pings" % (n, pings), pings // 2 < n <= pings)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
