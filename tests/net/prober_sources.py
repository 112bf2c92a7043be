#!/usr/bin/env python3
"""Helper of prober-sources.test: files as sources of a daemon on a port of
127.0.0.1, and where their results go.

    prober_sources.py cycles PORT OUT    cycles of a short file, in step with
                                         its results in OUT
    prober_sources.py socket THEIRS OURS results on a connection: what both of
                                         them say, and records that are equal
    prober_sources.py talk THEIRS OURS   the same lines, in folders theirs and
                                         ours: the same answers, events, results
    prober_sources.py flush PORT OUT     shutdown flush, with much to be done
    prober_sources.py reader PATH OUT    one who does not read, and one who goes
"""
import concurrent.futures
import json
import re
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
    if out.endswith(".dat"):
        text = subprocess.run(["sc_warts2json", out], text=True,
                              stdout=subprocess.PIPE, check=True).stdout
        return [json.loads(x) for x in text.splitlines()]
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
    name = "%d.warts" % c.s.getpeername()[1]
    with open(name, "wb") as f:
        f.write(c.f.read())
    out = subprocess.run(["sc_warts2json", name],
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


def at_once(conversation, theirs, ours):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(conversation, (theirs, ours)))


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
    both = at_once(on_socket, theirs, ours)
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
    # The file of -o is one like others; scamper cannot do without.
    is_so("close -o", m.ask("outfile close " + out) == ["OK"])
    is_so("no outfile", m.ask(add % ("z", "five", out)) ==
          ["ERR unknown outfile '%s'" % out] and
          m.ask("source add name z file five") ==
          ["ERR required parameter 'outfile' missing"])
    m.ask("shutdown done")
    m.end()
    n += count(out, "ping") - 5
    is_so("%d of %d pings" % (n, pings), pings // 2 < n <= pings)


# --- everything about sources and files --------------------------------------

FILES = [
    "source add name s outfile main.json", "source add name s file five zz y",
    "source add name s file five outfile zz", "source add name s file",
    'source add name s file five outfile main.json command "ping -c 1 -U 1" '
    'priority 0 descr "a b" list_id 5 cycle_id 7 cycles 1',
    "source add name s file five outfile main.json", "source list",
    "source list s", "source list zz", "outfile list",
    "outfile close main.json", "source cycle", "source cycle zz",
    "source delete", "source delete zz", "source update s zz 1",
    "source update s priority", "source update zz priority 1",
    "source update s autoreload on", "source update s cycles 1 autoreload off",
    "source update s priority 3", "FINISH s", "source list", "source delete s",
    "outfile open name o file no/such mode truncate",
    "outfile open name o file o.dat mode truncate",
    "outfile open name o file p.dat mode truncate",
    "outfile swap main.json o", "outfile list",
    'source add name t file five outfile main.json command "ping -c 1 -U 2"',
    "FINISH t", "outfile swap main.json o", "outfile swap o",
    'source add name u file five outfile o cycle_id 3 command "trace -w 1"',
    "FINISH u", "outfile close o", "outfile close o", "outfile list",
    "outfile open name o file o.dat mode append",
    'source add name v file five outfile o command "ping -c 1 -U 4"',
    "FINISH v", "outfile close o", "outfile list",
    "shutdown zz y", "shutdown cancel",
]


def normal(line):
    line = plain(line)
    # What is left of a file is read ahead there; a lost colon.
    line = re.sub(r"(?<=') cycles \d+", " cycles N", line)
    return line.replace("usage outfile", "usage: outfile")


def sources(port):
    m, o = Client(port), Client(port)
    said = [("observe", o.ask("observe sources"))]
    for line in FILES:
        if line.startswith("FINISH "):
            said.append((line, [normal(x) for x in o.until(
                "EVENT .*finish '%s'" % line[7:])]))
        else:
            said.append((line, sorted(normal(x) for x in m.ask(line))))
    # While a source is there: others may still come, until all are through.
    c = Client(port)
    add = 'source add name %s file five outfile main.json command "ping -c %d"'
    for line in (add % ("x", 2), "shutdown done", add % ("y", 1),
                 "shutdown cancel", "shutdown done"):
        said.append((line, m.ask(line)))
    c.say("attach format json")
    said.append(("attach", [plain(x) for x in c.until("DATA")]))
    said.append(("list", sorted(re.sub(r"'[^']*' file '.null", "N", plain(x))
                                for x in m.ask("outfile list"))))
    o.until("EVENT .*finish 'x'")
    said.append(("ping", c.ask("ping -c 1 11.0.0.9")))
    c.until("DATA")
    c.say("done")
    c.end()
    said.append(("the end", m.end()))
    return said


def talk(theirs, ours):
    both = at_once(sources, theirs, ours)
    for name, n in (("main.json", 21), ("o.dat", 21)):
        got = []
        for folder in ("theirs", "ours"):
            got.append(sorted((shape(r) for r in records(folder + "/" + name)),
                              key=str))
        for r in got[0] + got[1]:
            r.pop("stop_reason", None)
        if got[0] != got[1] or len(got[1]) < n:
            print("FAILED: %s:\n%s\n%s" % (name, *got))
            sys.exit(1)
    for said in both:
        for line, answer in said:
            # Ours say what is wrong with a file.
            if line.startswith("outfile open") and answer[0][:3] == "ERR":
                answer[:] = ["ERR"]
            if line == "source add name s file":
                answer[:] = [x[:3] for x in answer]
    same(both)


def flush(port, out):
    m = Client(port)
    add = "source add name s file many command \"ping -c 2 -i 0.2 -W 0.1\""
    is_so("add", m.ask(add) == ["OK source added"])
    wait_until("some have begun", lambda: count(out, "ping") > 0)
    is_so("flush", m.ask("shutdown flush") == ["OK"])
    no = Client(port).ask("attach")
    is_so("attach: %s" % no, no == ["ERR shutting down"])
    m.end()
    n = count(out, "ping")
    is_so("%d pings" % n, n < 5000 and count(out, "cycle-stop") == 1)
    is_so("whole", all(r["ping_sent"] == 2 for r in records(out)
                       if r["type"] == "ping"))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
