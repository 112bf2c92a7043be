#!/usr/bin/env python3
"""Helper of prober-continue.test.

    prober_continue.py run SEED ROUNDS   the monitor, and what happens to it
    prober_continue.py check             the spool against the lists

Three lists that overlap, cycle after cycle, by listgen-file and listmgr; in
each round something is killed or stopped at a random moment and started again:
one process or all; or the power fails: all are killed, of the open segment any
part behind the checkpoint is gone, bytes that were never synced stand behind
the checkpoint, and the next start is in another boot.
"""
import glob
import os
import random
import signal
import struct
import subprocess
import sys
import time
import uuid

BIN = os.environ["BIN"]
PROBE = "trace -P icmp-paris -w 1 -q 1 -g 2"
DEADLINE_S = 120
REFUSED = "11.9."  # do not probe


def lists():
    """Number -> targets: they overlap, one has a target twice, some must not
    be probed."""
    v4 = ["11.%d.0.%d" % (i % 10, i // 10) for i in range(400)]
    v6 = ["2400:%x::1" % i for i in range(100)]
    return {1: v4, 2: v6 + v4[50:200:3] + v6[:5],
            3: v4[::-4] + ["11.77.0.%d" % i for i in range(60)]}


class Monitor:
    def __init__(self, seed):
        self.rnd = random.Random(seed)
        self.prober = self.manager = None
        self.log = open("log", "a")
        self.boot()
        for n, targets in lists().items():
            with open("list.%d" % n, "w") as f:
                f.write("".join(t + "\n" for t in targets))
        with open("dnp", "w") as f:
            f.write(REFUSED + "0.0/16\n")

    def schedule(self, options):
        with open("schedule", "w") as f:
            f.write("monitor mon\n")
            for n in lists():
                f.write('list %d name=l%d weight=%d run listgen-file %s '
                        '-s state.%d -c "%s" list.%d\n'
                        % (n, n, n, options, n, PROBE, n))

    def boot(self):
        with open("boot", "w") as f:
            f.write(str(uuid.UUID(int=self.rnd.getrandbits(128))) + "\n")

    def start(self):
        if self.prober is None:
            self.prober = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", "mount --bind boot "
                 "/proc/sys/kernel/random/boot_id && exec \"$@\"", "sh",
                 BIN + "/prober", "--commands", "./socket", "-p", "3000",
                 "-H", "300ms", "--spool", "spool", "--status", "status",
                 "-O", "dnp=dnp"], stderr=self.log)
        if self.manager is None:
            self.manager = subprocess.Popen(
                [BIN + "/listmgr", "-p", "./socket", "schedule"],
                stderr=self.log, env=dict(os.environ, PATH=BIN + ":" +
                                          os.environ["PATH"]))

    def end(self, who, signo):
        p = getattr(self, who)
        if p is None:
            return
        p.send_signal(signo)
        code = p.wait(DEADLINE_S)
        # A signal may come before the handler is there.
        assert code in (-signo, 0), "%s ended with %d" % (who, code)
        setattr(self, who, None)

    def generators(self):
        path = "/proc/%d/task/%d/children" % ((self.manager.pid,) * 2)
        return [int(pid) for pid in open(path).read().split()]

    def kill_generator(self):
        pids = self.generators()
        if pids:
            os.kill(self.rnd.choice(pids), signal.SIGKILL)

    def kill_all(self):
        pids = [self.prober.pid, self.manager.pid] + self.generators()
        self.rnd.shuffle(pids)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.prober.wait()
        self.manager.wait()
        self.prober = self.manager = None

    def power_cut(self):
        self.kill_all()
        self.boot()
        line = open("spool/state/checkpoint", "rb").readline().split()
        for path in glob.glob("spool/spool/*.open"):
            data = open(path, "rb").read(1 << 24)
            if len(data) < 82 or struct.unpack_from(
                    ">Q", data, 34)[0] < int(line[4]):
                continue  # the checkpoint says that this was synced
            os.truncate(path, self.rnd.randint(82, len(data)))
        if self.rnd.random() < 0.5:
            with open("spool/state/checkpoint", "ab") as f:
                f.write(self.rnd.randbytes(self.rnd.randint(1, 60)))

    def rotate(self):
        # An interrupt before its handler is there would end it.
        if os.path.exists("status"):
            self.prober.send_signal(signal.SIGUSR1)

    def round(self):
        r = self.rnd
        how = r.choice(["prober KILL", "prober TERM", "manager KILL",
                        "manager TERM", "generator", "all", "power",
                        "rotate"])
        if how == "generator":
            self.kill_generator()
        elif how == "all":
            self.kill_all()
        elif how == "power":
            self.power_cut()
        elif how == "rotate":
            self.rotate()
        else:
            who, name = how.split()
            self.end(who, getattr(signal, "SIG" + name))
        if r.random() < 0.3:
            time.sleep(r.random())  # the others go on without it
        if self.prober is None and os.path.exists("status"):
            os.unlink("status")
        self.start()
        return how


def balanced():
    """The books in the status file; how many cycles are open."""
    rows = [line for line in open("status") if line.startswith("list=")]
    for line in rows:
        v = dict(w.split("=") for w in line.split() if "(" not in w)
        n = {k: int(x) for k, x in v.items()}
        assert n["accepted"] == sum(n[k] for k in (
            "recorded", "refused", "held", "queued", "active")), line
    return len(rows)


def wait_for(what, cond):
    limit = time.monotonic() + DEADLINE_S
    while not cond():
        assert time.monotonic() < limit, what + " does not come"
        time.sleep(0.05)


def run(seed, rounds):
    m = Monitor(int(seed))
    try:
        m.schedule("-r -i 2s")
        m.start()
        done = {}
        for _ in range(int(rounds)):
            time.sleep(m.rnd.random() ** 2 * 1.5)
            if os.path.exists("status"):
                balanced()
            how = m.round()
            done[how] = done.get(how, 0) + 1
        print(", ".join("%s %d" % d for d in sorted(done.items())))
        # Now each list to its end.
        m.end("manager", signal.SIGTERM)
        m.schedule("")
        m.start()
        assert m.manager.wait(DEADLINE_S) == 0
        m.manager = None
        wait_for("status", lambda: os.path.exists("status"))
        wait_for("the end of all cycles", lambda: balanced() == 0)
        m.end("prober", signal.SIGTERM)
    finally:
        for p in (m.manager, m.prober):
            if p is not None:
                p.kill()
                p.wait()


# --- the spool ---------------------------------------------------------------

WIDTHS = [4, 4, 4, 4, 8, 1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 2, 1, 1, 1,
          2, 1, 1]


def records(path):
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        magic, kind, length = struct.unpack_from(">HHI", data, at)
        assert magic == 0x1205, path
        yield kind, data[at + 8:at + 8 + length]
        at += 8 + length


def text_of(family, raw):
    if family == 1:
        return ".".join(str(b) for b in raw)
    words = struct.unpack(">8H", raw)
    assert words[1:] == (words[1], 0, 0, 0, 0, 0, 1), raw
    return "2400:%x::1" % words[1]


def trace(body):
    """list id, cycle id, destination"""
    fields, at, base = set(), 0, 0
    while True:
        flags = body[at]
        fields |= {base + i + 1 for i in range(7) if flags >> i & 1}
        at, base = at + 1, base + 7
        if not flags & 0x80:
            break
    at += 2
    got, addrs = {}, []
    for n in sorted(f for f in fields if f <= 27):
        if n <= 25:
            got[n] = int.from_bytes(body[at:at + WIDTHS[n - 1]], "big")
            at += WIDTHS[n - 1]
        elif body[at]:
            addrs.append((body[at + 1], body[at + 2:at + 2 + body[at]]))
            got[n] = addrs[-1]
            at += 2 + body[at]
        else:
            got[n] = addrs[struct.unpack_from(">I", body, at + 1)[0]]
            at += 5
    return got[1], got[2], text_of(*got[27])


def accounts(body):
    """(list, cycle) -> account, of a batch or tail mark"""
    at = {2: 54, 4: 54 + 48}.get(body[0])
    out = {}
    if at is None:
        return out
    count, at = struct.unpack_from(">H", body, at + 1)[0], at + 3
    for _ in range(count):
        lst, cycle, *v = struct.unpack_from(">2I5QB", body, at)
        at += 49
        refused = sum(struct.unpack_from(">Q", body, at + 9 * i + 1)[0]
                      for i in range(v[5]))
        at += 9 * v[5]
        out[lst, cycle] = (*v[:5], refused)
    return out


class Cycle:
    def __init__(self):
        self.starts = self.stops = 0
        self.got = []
        self.account = None


def read_spool():
    cycles = {}
    paths = glob.glob("spool/spool/*.warts")
    for path in sorted(paths, key=lambda p: int(p.split("/")[-1][:-6])):
        ids, names = {}, {}
        for kind, body in records(path):
            if kind == 1:
                i, user = struct.unpack_from(">II", body)
                names[i] = user
            elif kind in (2, 3):
                i, lst, user = struct.unpack_from(">III", body)
                ids[i] = cycles.setdefault((names[lst], user), Cycle())
                ids[i].starts += kind == 2
            elif kind == 4:
                ids[struct.unpack_from(">I", body)[0]].stops += 1
            elif kind == 6:
                _, cycle, dst = trace(body)
                assert ids[cycle].stops == 0, "record behind the stop"
                ids[cycle].got.append(dst)
            elif kind == 0x8a4d:
                for key, a in accounts(body).items():
                    cycles.setdefault(key, Cycle()).account = a
    return cycles, len(paths)


def check_cycle(c, targets):
    want = sorted(t for t in targets if not t.startswith(REFUSED))
    got = sorted(c.got)
    bad = []
    if (c.starts, c.stops) != (1, 1):
        bad.append("%d starts, %d stops" % (c.starts, c.stops))
    if got != want:
        lost = [t for t in set(want) if got.count(t) < want.count(t)]
        twice = [t for t in set(got) if got.count(t) > want.count(t)]
        bad.append("%d lost, %d too often: %s"
                   % (len(lost), len(twice), (lost + twice)[:5]))
    if c.account != (len(targets), len(want), 0, 0, 0,
                     len(targets) - len(want)):
        bad.append("account %s of %d" % (c.account, len(targets)))
    return bad


def check():
    cycles, segments = read_spool()
    targets, wrong, total = lists(), 0, 0
    for (lst, cycle), c in sorted(cycles.items()):
        total += len(c.got)
        for text in check_cycle(c, targets[lst]):
            print("list %d cycle %d: %s" % (lst, cycle, text))
            wrong += 1
    print("%d cycles, %d records in %d segments, %d errors"
          % (len(cycles), total, segments, wrong))
    assert {lst for lst, _ in cycles} == set(targets)
    sys.exit(wrong != 0)


{"run": run, "check": check}[sys.argv[1]](*sys.argv[2:])
