#!/usr/bin/env python3
"""Helper of prober-daemon.test: conversations with the daemons on ports of
127.0.0.1, or on local sockets.

    prober_daemon.py talk THEIRS OURS    the same lines to both: the same answers
    prober_daemon.py survive PORT        what ends Debian's daemon, and what is
                                         no command at all
    prober_daemon.py modern PORT         as clients of 2026 are answered
    prober_daemon.py partial PORT        what is known before the end (-y)
    prober_daemon.py slow PORT PATH      one that does not read, one that leaves
    prober_daemon.py round PORT OUT      two files, priorities 3 and 1
    prober_daemon.py ask PORT LINE...    each line's answer
    prober_daemon.py results FILE...     warts by sc_warts2json, without what no
                                         two runs share
"""
import binascii
import concurrent.futures
import json
import os
import re
import socket
import subprocess
import sys
import time

WAIT = 30  # seconds: longer is a hang


class Client:
    """A connection; answers are read as they are due, not after a while."""

    def __init__(self, port):
        if "/" in port:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.connect(port)
        else:
            self.s = socket.create_connection(("127.0.0.1", int(port)))
        self.s.settimeout(WAIT)
        self.f = self.s.makefile("rb")
        self.data = []   # (header, body)
        self.said = []   # lines passed over

    def say(self, line):
        self.s.sendall(line.encode("latin1") + b"\n")

    def line(self):
        """The next line, without what DATA announces; None at the end."""
        try:
            line = self.f.readline()
        except ConnectionError:
            return None
        if not line.endswith(b"\n"):
            return None
        line = line.decode("latin1")[:-1]
        if line.startswith("DATA "):
            self.data.append((line, self.f.read(int(line.split()[1]))))
        return line

    def until(self, pattern):
        """Lines up to the one that matches."""
        lines = []
        while True:
            line = self.line()
            lines.append(line)
            if line is None or re.match(pattern, line):
                return lines

    def ask(self, line):
        """Say it; its answer: INFO lines, and OK or ERR, or the end."""
        self.say(line)
        return [x for x in self.until("OK|ERR") if x is None or
                re.match("OK|ERR|INFO", x)]

    def end(self):
        """What comes until the end of file."""
        lines = self.until("$^")
        return lines[:-1]


def plain(line):
    """A line without what no two runs share."""
    if line is None:
        return "(end)"
    line = re.sub(r"127\.0\.0\.1:\d+", "PEER", line)
    line = re.sub(r"^(EVENT|DATA|OK pid) \d+", r"\1 N", line)
    return re.sub(r"^OK version .*", "OK version V", line)


FRESH = [
    "get pps", "GET PPS", "get", "get zz", "get version", "get pid",
    "get monitorname", "get command", "get window", "get pps extra",
    "set", "set pps", "set pps x", "set pps 0", "set pps 99999",
    "set pps 400", "get pps", "set window -1", "set window 65536",
    "set window 5", "get window", "set window 0", "set foo 1",
    "set monitorname here", "get monitorname", "set command ping -c 1",
    "get command", "foo", " get pps", "shutdown", "shutdown zz",
    "shutdown cancel", "observe", "observe zz", "lss-clear",
    "lss-clear foo", "remote list", "remote add", "remote add ssl off",
    "remote add server 127.0.0.1", "remote add server 127.0.0.1:9 ssl maybe",
    "remote add server 127.0.0.1:9 foo bar", "remote delete",
    "remote delete zz", "source", "source zz", "source list",
    "source list foo", "source add", "source add name x", "source update",
    "source update zz priority 1", "source cycle zz", "source delete zz",
    "outfile", "outfile zz", "outfile open", "outfile open name a",
    "outfile open name a file a.x mode foo",
    "outfile open name a file a.x mode truncate", "outfile list",
    "outfile swap a main.json", "outfile swap a main.json",
    "outfile close zz", "outfile close", "outfile close a", "ping 11.0.0.1",
    "halt 1", "attach zz", "attach format", "attach format foo",
    "attach priority 0", "attach priority x",
]

ATTACHED = [
    "ping", "ping -c 0 11.0.0.1", "ping -c 11.0.0.1", "trace -q 99 11.0.0.1",
    "bogus 11.0.0.1", "ping 11.0.0.1 11.0.0.2", "get pps", "attach", "halt",
    "halt x", "halt 1 2", "halt 99",
]


def conversation(port):
    c = Client(port)
    said = [(line, [plain(x) for x in c.ask(line)]) for line in FRESH]
    c.say("exit")
    said.append(("exit", [plain(c.line())]))

    # Attached: errors, a halt of what is in progress, of what waits for it.
    c = Client(port)
    c.say("attach format json")
    said.append(("attach", [plain(x) for x in c.until("DATA")]))
    for line in ATTACHED:
        said.append((line, [plain(x) for x in c.ask(line)]))
    for line in ["ping -c 1 -U 7 11.0.0.9", "TRACE -w 1 11.0.0.10"]:
        c.say(line)
        said.append((line, [plain(x) for x in c.until("DATA")]))
    c.say("ping -c 1000 11.0.0.11")
    said.append(("long", [plain(x) for x in c.until("MORE")]))
    c.say("halt 3")
    said.append(("halt", [plain(x) for x in c.until("DATA")]))
    said.append(("again", [plain(x) for x in c.ask("halt 3")]))
    c.say("done")
    said.append(("done", [plain(x) for x in c.end()]))
    said.append(("results", [shape(json.loads(b)) for _, b in c.data]))

    # The same in warts, with a priority; all at once and impatiently.
    c = Client(port)
    c.say("attach priority 5")
    lines = c.until("DATA") + c.until("DATA")
    said.append(("warts", [plain(x) for x in lines]))
    c.say("done")
    c.end()
    c = Client(port)
    c.s.sendall(b"get pps\r\nattach\nping -c 1 11.0.0.12\ndone\n")
    lines = sorted(plain(x) for x in c.end() if x != "MORE")
    said.append(("at once", lines))

    # A local stop set is known once a trace has named it; cleared, it stops
    # no more.
    c, m = Client(port), Client(port)
    c.say("attach format json")
    c.until("DATA")
    sets, hops = [m.ask("lss-clear here")], []
    for clear in ("", "", "lss-clear here", "lss-clear there"):
        if clear:
            sets.append(m.ask(clear))
        c.ask("trace -w 1 -f 3 -Z here 11.0.0.13")
        c.until("DATA")
        hops.append(len(json.loads(c.data[-1][1])["hops"]))
    if [hops[0] - n for n in hops] != [0, 1, 0, 1]:
        sys.exit("FAILED: stop sets: %s" % hops)
    said.append(("stop sets", sets))
    c.say("done")
    c.end()

    # A byte that is none of a line's ends the conversation.
    c = Client(port)
    c.say("get\tpps")
    said.append(("tab", [plain(x) for x in c.end()]))
    c = Client(port)
    c.say("attach format json")
    c.until("DATA")
    c.say("ping\001")
    said.append(("bad byte", [plain(x) for x in c.end()]))

    # Somebody else hears of it.
    o = Client(port)
    o.ask("observe sources")
    c = Client(port)
    c.say("attach format json")
    c.until("DATA")
    c.say("done")
    c.end()
    said.append(("events", [plain(o.line()) for _ in range(2)]))
    return said


def shape(r):
    """A result without times and ids."""
    return {k: r[k] for k in ("type", "dst", "src", "userid", "stop_reason",
                              "ping_sent", "hop_count", "id") if k in r}


# Debian's answers that are not ours, and why ours is better.
def forgive(line, answer):
    # Which of several probes was under way when it was halted, nobody knows.
    if line == "results":
        for r in answer:
            r.pop("ping_sent", None)
    if line == "outfile list":
        return sorted(answer)
    # Theirs has lost the second name.
    if line.startswith("outfile swap") and answer[0].startswith("ERR"):
        return ["ERR"]
    if line.startswith(("attach zz", "attach format", "outfile swap")):
        return [a.replace("usage outfile", "usage: outfile") for a in answer]
    return answer


def talk(theirs, ours):
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        both = pool.map(conversation, (theirs, ours))
    for (line, want), (_, have) in zip(*both, strict=True):
        want, have = forgive(line, want), forgive(line, have)
        if want != have:
            print("FAILED: %s\n  scamper: %s\n  prober:  %s" %
                  (line, want, have))
            bad = 1
    sys.exit(bad)


def alive(port, what):
    if Client(port).ask("get pps")[0][:6] != "OK pps":
        sys.exit("FAILED: it does not live after " + what)


def survive(port):
    # A halt of what waits for another, and then of that one.
    c = Client(port)
    c.say("attach")
    c.until("DATA")
    for i in (1, 2, 3):
        c.ask("ping -c 1000 11.0.1.1")
    for i in (2, 1, 3):
        if c.ask("halt %d" % i) != ["OK halted %d" % i]:
            sys.exit("FAILED: halt %d" % i)
    c.say("done")
    c.end()
    if len(c.data) != 6:
        sys.exit("FAILED: not every halted ping has its record")
    alive(port, "halts")
    # A source is taken away while it is used.
    c, m = Client(port), Client(port)
    c.say("attach")
    c.until("DATA")
    name = "%s:%d" % c.s.getsockname()
    if not m.ask("source delete " + name)[0].startswith("ERR"):
        sys.exit("FAILED: a client was deleted")
    if m.ask("source add name gone file list cycles 0 command "
             '"ping -c 9 -i 1"') != ["OK source added"]:
        sys.exit("FAILED: source add")
    if m.ask("source delete gone") != ["OK"]:
        sys.exit("FAILED: source delete")
    alive(port, "source delete")
    # Lines that are none, too long, or of techniques with holes.
    for line in ["get " + "p" * 3000, "x" * 100000, "\0", "\xff\xfe",
                 "attach name " + "n" * 5000, 'attach name "open',
                 "source add name %s file list" % ("n" * 4000),
                 "outfile open name %s%s file /no mode append" %
                 ("%s" * 10, "%n" * 10), "set monitorname " + "m" * 4000]:
        m = Client(port)
        m.say(line)
        if not (m.line() or "").startswith(("ERR", "OK")):
            sys.exit("FAILED: no answer to " + line[:40])
        alive(port, line[:40])
    c.ask("dealias -m prefixscan 11.0.0.1 11.0.0.0/30")
    c.ask("tbit -u 'http://example.org/' 11.0.0.1")
    c.ask("halt 1")
    c.ask("ping -p " + "ab" * 3000 + " 11.0.0.1")
    alive(port, "commands")
    c.s.close()
    # Half a line, and nothing any more.
    for piece in [b"att", b"attach\nping", b"attach\nping -c 5 11.0.1.9\n"]:
        m = Client(port)
        m.s.sendall(piece)
        m.s.close()
    alive(port, "half a line")


def modern(port):
    c = Client(port)
    keys = 'format json list_id 7 cycle_id 9 name "my list" descr d monitor m'
    if c.ask("attach " + keys) != ["OK"]:
        sys.exit("FAILED: attach " + keys)
    c.until("DATA")
    start = json.loads(c.data[0][1])
    if (start["list_name"], start["id"]) != ("my list", 9):
        sys.exit("FAILED: %s" % start)
    no = c.ask("ping -c 0 11.0.0.1")[0]
    if not re.match("ERR command not accepted: .*-c", no):
        sys.exit("FAILED: " + no)
    c.ask("ping -c 1 11.0.0.1")
    c.until("DATA")
    if not re.fullmatch(r"DATA \d+ id-1", c.data[1][0]):
        sys.exit("FAILED: " + c.data[1][0])
    c.say("done")
    if not re.fullmatch(r"DATA \d+", c.end()[-1]):
        sys.exit("FAILED: the cycle's stop")
    # What cannot be reached has a record that says so.
    c = Client(port)
    c.ask("attach format json generation 2021")
    c.ask("ping -c 1 203.0.113.9")
    c.say("done")
    c.end()
    r = json.loads(c.data[1][1])
    if (r["type"], r["ping_sent"]) != ("ping", 0) or " " not in c.data[0][0]:
        sys.exit("FAILED: no route: %s" % r)


def records(c, command):
    """Say it; its results: (what is behind the length, record)."""
    first = len(c.data)
    number = c.ask(command)[0].split()[1]
    while not c.data[first:] or not c.data[-1][0].endswith(number):
        if c.line() is None:
            sys.exit("FAILED: the end instead of %s's result" % number)
    return [(re.sub(r"DATA \d+", "", head), body)
            for head, body in c.data[first:] if number in head]


def shown(body):
    """A uuencoded record as wartsview has it."""
    warts = b"".join(binascii.a2b_uu(x) for x in body.splitlines() if x != b"`")
    said = subprocess.run([os.environ["BIN"] + "/wartsview", "-t", "json", "-"],
                          input=warts, capture_output=True, check=True).stdout
    return said or b"{}"


def is_so(what, true):
    if not true:
        sys.exit("FAILED: " + what)


def partial(port):
    c = Client(port)
    c.say("attach format json")
    c.until("DATA")
    # Every probe: what is known grows to what is known at the end.
    *before, (head, last) = records(c, "trace -w 1 -y 1 11.0.6.1")
    last = json.loads(last)
    is_so("the result is inprog", head == " id-1" and
          last["stop_reason"] not in ("INPROGRESS", "NONE"))
    is_so("%d for %d probes" % (len(before), last["probe_count"]),
          1 < len(before) <= last["probe_count"])
    hops = [x["addr"] for x in last["hops"]]
    known = 0
    for head, body in before:
        r = json.loads(body)
        is_so(head, head == " id-1 inprog")
        is_so("stop reason " + r["stop_reason"],
              r["stop_reason"] == "INPROGRESS")
        for key in ("type", "src", "dst", "start", "method", "userid"):
            is_so(key, r[key] == last[key])
        addrs = [x["addr"] for x in r.get("hops", [])]
        is_so("%s, then %s" % (addrs, hops), addrs == hops[:len(addrs)])
        is_so("it forgets", len(addrs) >= known)
        known = len(addrs)
    is_so("nothing was known before the end", known > 0)
    # Every second of five, and none.
    for n, sent in ((2, [2, 4]), (0, []), (20, [])):
        *before, (head, last) = records(
            c, "ping -c 5 -i 0.1 -y %d 11.0.6.2" % n)
        before = [json.loads(body) for _, body in before]
        # One that is sent again, as its reply was lost here, is told again.
        is_so("-y %d: %s" % (n, before),
              sorted({r["ping_sent"] for r in before}) == sent)
        is_so("ping's stop reason",
              {r["stop_reason"] for r in before} <= {"inprogress"} and
              json.loads(last)["stop_reason"] == "done")
    no = c.ask("trace -y 21 11.0.6.1")[0]
    is_so(no, re.match("ERR command not accepted: .*-y.*0 - 20", no))
    # A halt ends it: nothing of it comes behind its record.
    c.ask("ping -c 1000 -i 0.05 -y 1 11.0.6.3")
    c.until("DATA .* inprog")
    c.ask("halt 5")
    c.until(r"DATA \d+ id-5$")
    is_so("halted", json.loads(c.data[-1][1])["stop_reason"] == "halted")
    c.say("done")
    is_so("something behind the halt",
          [x for x in c.end() if "inprog" in x] == [])
    # In warts.
    c = Client(port)
    c.say("attach")
    c.until("DATA")
    c.until("DATA")
    *before, _ = records(c, "trace -w 1 -y 2 11.0.6.4")
    r = json.loads(shown(before[-1][1]))
    is_so("warts: %s" % r, r["stop_reason"] == "INPROGRESS" and r["hops"])
    # Clients of 2021 have no word for it.
    c = Client(port)
    c.say("attach format json generation 2021")
    c.until("DATA")
    c.ask("ping -c 3 -i 0.1 -y 1 11.0.6.5")
    c.say("done")
    c.end()
    is_so("inprog for a client of 2021", len(c.data) == 3)


def slow(port, path):
    # One asks for much and reads nothing ...
    c = Client(path)
    c.say("attach format json")
    c.s.sendall(b"".join(b"ping -c 1 -W 0.2 11.%d.%d.1\n" % (i // 250 + 2, i % 250)
                         for i in range(5000)))
    # ... another gets its own meanwhile; and one leaves in the middle.
    d, e = Client(port), Client(port)
    for x in (d, e):
        x.say("attach format json")
        x.until("DATA")
        x.s.sendall(b"".join(b"ping -c 1 11.9.%d.%d\n" % (i, 1 + (x is e))
                             for i in range(200)))
    e.s.close()
    d.say("done")
    d.end()
    if len(d.data) != 202:
        sys.exit("FAILED: %d of 202 records" % len(d.data))
    # It waits for the reader, not for ever longer.
    last = None
    while True:
        window = Client(port).ask("get window")[0]
        if window == "OK window 0/0" and window == last:
            break
        last = window
        time.sleep(0.2)
    c.s.close()


def round_robin(port, out):
    c = Client(port)
    for name, priority in (("three", 3), ("one", 1)):
        c.ask("source add name %s file %s priority %d command "
              '"ping -c 1 -U %d"' % (name, name, priority, priority))
    while c.ask("source list") != ["OK"]:
        time.sleep(0.1)
    c.ask("shutdown done")
    c.end()
    with open(out) as f:
        pings = [json.loads(x) for x in f if '"ping"' in x]
    pings.sort(key=lambda r: (r["start"]["sec"], r["start"]["usec"]))
    if len(pings) != 120:
        sys.exit("FAILED: %d of 120 pings" % len(pings))
    # While both have some; the first turn may be one's alone.
    first = [r["userid"] for r in pings[4:72]]
    if not 0.70 <= first.count(3) / len(first) <= 0.80:
        sys.exit("FAILED: %s" % first)


def ask(port, *lines):
    c = Client(port)
    for line in lines:
        print(*c.ask(line), sep="\n")


def results(*files):
    for line in subprocess.run(["sc_warts2json", *files], text=True,
                               capture_output=True, check=True
                               ).stdout.splitlines():
        r = json.loads(line)
        if r["type"] not in ("ping", "trace"):
            continue
        print(r["type"], r["dst"], r["userid"], r.get("stop_reason"),
              [h["addr"] for h in r.get("hops", [])],
              [x["from"] for x in r.get("responses", [])])


if __name__ == "__main__":
    {"talk": talk, "survive": survive, "modern": modern, "partial": partial,
     "slow": slow, "round": round_robin, "ask": ask,
     "results": results}[sys.argv[1]](*sys.argv[2:])
