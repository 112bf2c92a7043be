#!/usr/bin/env python3
"""Helper of prober-ptr.test; runs in its folder, beside its name servers.

    compare BIN     the same questions and names as Debian's scamper, in all
                    outputs
    answers BIN     all kinds of answers
    once            no address was asked for twice (once.json, good.log)
    dead            a silent server held up nobody for long (dead.*)
    control PORT    what a daemon says of its name server
    two PORT        a daemon comes to its second name server
    reload PORT     and to the one that resolv.conf has by now
"""
import json
import os
import re
import socket
import subprocess
import sys
import time

GOOD = "10.99.0.53"
TARGETS = ["11.0.5.1", "2001:db8:5::9"]
ESCAPED = re.compile(r"[A-Za-z0-9._/+:@*=%-]{1,255}")
failed = 0


def fail(*what):
    global failed
    failed += 1
    if failed < 5:
        print("FAILED:", *what)


def run(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True,
                          timeout=60).stdout.decode()


def traces(text):
    """The traces among JSON lines, which must all be JSON."""
    lines = [json.loads(x) for x in text.splitlines()]
    return [x for x in lines if x["type"] == "trace"]


def names_of(trace):
    return [(h["probe_ttl"], h["addr"], h.get("name"))
            for h in trace.get("hops", [])]


def log(name):
    with open(name + ".log", encoding="latin-1") as f:
        return [json.loads(x) for x in f]


def zone(name, *lines):
    """Change what a server says; a new file, so that it sees that."""
    with open(name + ".new", "w", encoding="latin-1") as f:
        f.write("".join(x + "\n" for x in lines))
    os.rename(name + ".new", name + ".zone")
    open(name + ".log", "w").close()


def auto(address):
    return "h-%s.example.net" % address.replace(".", "-").replace(":", "-")


# --- beside scamper ---------------------------------------------------------

def measure(program, target, *options):
    """Warts of a trace, and what was asked for it."""
    open("good.log", "w").close()
    run(program, "-n", GOOD, "-p", "1000", "-O", "warts", "-o", "x.warts",
        "-I", "trace -Q -q 2 -O ptr " + target, *options)
    asked = sorted((q["name"].lower(), q["type"], q["flags"], q["additional"])
                   for q in log("good"))
    return traces(run("sc_warts2json", "x.warts"))[0], asked


def compare(bin_dir):
    for target in TARGETS:
        theirs, asked = measure("scamper", target)
        ours, asked_too = measure(bin_dir + "/prober", target)
        if asked != asked_too or len(asked) < 4:
            fail("asked", asked, asked_too)
        if [x[:2] for x in names_of(theirs)] != [x[:2] for x in names_of(ours)]:
            fail("other hops", names_of(theirs), names_of(ours))
        # It does not wait at the end, so that it lacks the last names.
        has = 0
        for mine, yours in zip(names_of(ours), names_of(theirs)):
            if mine[2] != auto(mine[1]) or yours[2] not in (mine[2], None):
                fail("names", mine, yours)
            has += yours[2] is not None
        if has == 0:
            fail("scamper has no name at all")
        dump = run("sc_wartsdump", "x.warts")
        for _, address, name in names_of(ours):
            if "%s name %s\n" % (address, name) not in dump:
                fail("sc_wartsdump", address, name, dump)
        if " ptr " not in dump:
            fail("no flag", dump)
        outputs(bin_dir, target, names_of(ours))


def outputs(bin_dir, target, want):
    """Our own outputs, of both generations, have them too."""
    prober = [bin_dir + "/prober", "-n", GOOD, "-p", "1000"]
    command = ["-I", "trace -Q -q 2 -O ptr " + target]
    for words in (prober + ["-O", "json"] + command,
                  prober + ["-O", "json", "-O", "generation=2021"] + command,
                  [bin_dir + "/wartsview", "-t", "json", "x.warts"]):
        text = run(*words)
        if names_of(traces(text)[0]) != want:
            fail(words, text)
        if not re.search(r'\{"addr":"[^"]*", ?"name":"[^"]*", ?"probe_ttl"',
                         text):
            fail("order of members", text)
    text = run(*prober, "-O", "text", *command)
    if text.count("\n") != len({x[0] for x in want}) + 1 or "example" in text:
        fail("text has no names, as scamper's", text)


# --- answers ----------------------------------------------------------------

LONG = ".".join(["a" * 63] * 3 + ["b" * 61])
ANSWERS = [
    ("alias r7.example.net", "r7.example.net"),
    ("many 3 r8.example.net", "r8.example.net"),
    ("many 200 r8.example.net", "r8.example.net"),
    ("name a_b.0/25.EXAMPLE", "a_b.0/25.EXAMPLE"),
    ("huge", LONG),
    (r'labels evil"\x00\n\\.<b> \xff', "evil%22%00%0A%5C.%3Cb%3E%20%FF"),
    (r"labels \x1b[2J.\x25n$(x)", "%1B%5B2J.%25n%24%28x%29"),
    ("nxdomain 30", None),
    ("nodata", None),
    ("servfail", None),
    ("refused", None),
    ("truncated", None),
    ("empty", None),
    ("loop", None),
    ("short", None),
]


def answers(bin_dir):
    for rule, want in ANSWERS:
        zone("good", "default " + rule)
        run(bin_dir + "/prober", "-n", GOOD, "-p", "1000", "-o", "y.warts",
            "-O", "warts", "-I", "trace -O ptr 11.0.5.1",
            "trace -O ptr 11.0.5.2")
        # Debian's writer has room for 150 bytes, and then forgets the quote.
        tools = [[bin_dir + "/wartsview", "-t", "json", "y.warts"]] * 2
        if rule != "huge":
            tools[1] = ["sc_warts2json", "y.warts"]
        got = [n for tool in tools for t in traces(run(*tool))
               for _, _, n in names_of(t)]
        if set(got) != {want} or len(got) < 16:
            fail(rule, got)
        if want is not None and not ESCAPED.fullmatch(want):
            fail("not escaped", want)
        asked = [q["address"] for q in log("good")]
        if len(asked) != len(set(asked)):
            fail(rule, "asked again", asked)
    zone("good", "default auto")


def once():
    with open("once.json") as f:
        all_traces = traces(f.read())
    asked = [q["address"] for q in log("good")]
    seen = set()
    for t in all_traces:
        for _, address, name in names_of(t):
            seen.add(address)
            if name != auto(address):
                fail("once", address, name)
    if len(all_traces) != 100 or sorted(asked) != sorted(seen):
        fail("once", len(all_traces), len(asked), len(seen))


# --- silence ----------------------------------------------------------------

def dead():
    """All traces are there, it was said once, and few questions were asked:
    those of five seconds, then one try now and then."""
    with open("dead.json") as f:
        all_traces = traces(f.read())
    with open("dead.err") as f:
        said = f.read().count("10.99.0.54 does not answer")
    if len(all_traces) != 40 or said != 1:
        fail("dead", len(all_traces), said)
    if any(n for t in all_traces for _, _, n in names_of(t)):
        fail("a name from nowhere")
    asked = [q["address"] for q in log("dead")]
    if not 8 <= len(asked) <= 200 or \
            max(asked.count(x) for x in set(asked)) > 2:
        fail("asked", len(asked), asked)


class Daemon:
    def __init__(self, port):
        end = time.monotonic() + 30
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", int(port)))
                break
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)
        self.sock.settimeout(60)
        self.file = self.sock.makefile("r")

    def say(self, line):
        self.sock.sendall(line.encode() + b"\n")
        return self.file.readline().rstrip("\n")


def control(port):
    d = Daemon(port)
    for line in ("get nameserver", "set nameserver 10.99.0.53",
                 "get nameserver", "set nameserver x", "set nameserver",
                 "get nameserver", "set nameserver 10.9.9.9 y",
                 "set nameserver 2001:db8::53", "get nameserver"):
        print(d.say(line))


def two(port):
    """Traces, ten at a time, until one has names: the other server is asked."""
    d = Daemon(port)
    if d.say("get nameserver") != "OK nameserver 10.99.0.55":
        fail("resolv.conf: the first one")
    worker = Daemon(port)
    worker.say("attach format json")
    end, i, named = time.monotonic() + 60, 0, False
    while not named and time.monotonic() < end:
        for _ in range(10):
            i += 1
            worker.sock.sendall(b"trace -O ptr 11.0.%d.%d\n" %
                                (8 + i // 250, i % 250 + 1))
        n = 0
        while n < 10:
            line = worker.file.readline()
            if '"trace"' in line:
                n += 1
                named = named or '"name"' in line
    if not named:
        fail("the second name server is not asked")
    if d.say("get nameserver") != "OK nameserver 10.99.0.56":
        fail("get nameserver: not the second")


def reload(port):
    d = Daemon(port)
    end = time.monotonic() + 30
    while d.say("get nameserver") != "OK nameserver 10.99.0.99":
        if time.monotonic() > end:
            fail("SIGHUP: resolv.conf is not read")
            return
        time.sleep(0.05)


globals()[sys.argv[1]](*sys.argv[2:])
sys.exit(failed != 0)
