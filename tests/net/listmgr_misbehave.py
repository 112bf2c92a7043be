"""Twelve generators that misbehave, each in its way, beside a good one, and a
centre that is told.

The good one keeps its share: the reader takes lines at a steady pace, far below
what the manager can give, and there is a second's worth of lines in the pipe.
The good one's targets are at least 95 in 100 of what the reader could have had,
which is a ratio of counts within one run, and only a manager that is kept from its
work for a second spoils it.

Each of the twelve is dealt with as listmgr(8) says; the log and the heartbeat say
which one it was and what it did, of the good one they say nothing; and nothing of
them is left behind."""
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
sys.dont_write_bytecode = True
sys.path.insert(0, os.environ["SRC"] + "/tests/lib")
from centre import Centre, Keys, Publication  # noqa: E402
from tlspeer import World, free_port  # noqa: E402

BIN = os.environ["BIN"]
DEADLINE_S = 60
F_SETPIPE_SZ = 1031
PIPE = 1 << 18
READ = 1024  # bytes, about 38 targets, 200 times a second
READS = 600
CYCLE = 1700000000
UID = 1000000000 + os.getpid() * 2000  # the users of this run

BEGIN = 'echo "begin $SCAMPER_LIST %d probe trace"\n' % CYCLE
TARGET = "ip 192.0.2.%%s $SCAMPER_LIST %d" % CYCLE
BAD = {
    "dies": BEGIN + "echo '%s'\nexit 1\n" % "garbage",
    "floods": BEGIN + 'exec yes "%s"\n' % (TARGET % 1),
    "garbage": "exec yes garbage\n",
    "hangs": BEGIN + "kill -STOP $$\n",
    "forks": BEGIN + """: >here
exec python3 -c '
import os
while True:
    try:
        os.fork()
    except OSError:
        pass'
""",
    "overlong": "exec tr '\\0' x </dev/zero\n",
    "eats": BEGIN + "tail /dev/zero 2>/dev/null\n: >here\nexit 3\n",
    "deaf": BEGIN + "trap '' TERM INT HUP\n: >here\n"
            "while :; do sleep 1000; done\n",
    "foreign": 'exec yes "ip 192.0.2.1 1 %d"\n' % CYCLE,
    "closes": BEGIN + "exec >&-\nwhile :; do sleep 1000; done\n",
    "stderr": BEGIN + "exec yes >&2\n",
    "kills": BEGIN + "setsid sh -c ': >here; while :; do :; done' &\n"
             "while [ ! -e here ]; do sleep 0.1; done\n"
             "kill -9 $PPID\nkill -9 -$PPID\nkill -9 0\n",
}
LIMITS = {"forks": "processes=20 crowded=3s", "eats": "memory=64M",
          "floods": "targets=100", "hangs": "quiet=4s", "deaf": "quiet=2s"}
# What the log says of each, and the heartbeat.
REPORTS = {
    "dies": ("exit 1: started again in 2.0 s", "exit 1"),
    "floods": ("held for 2 s: more targets in a cycle than",
               "held: more targets in a cycle than"),
    "garbage": ("held for 2 s: unknown verb", "held: unknown verb"),
    "hangs": ("hangs: nothing for 4 s in an open cycle: stopped, and held",
              "hangs: nothing for 4 s in an open cycle"),
    "forks": (r"has had (1[89]|20) of 20 processes for 3 s: stopped, and held",
              r"has had (1[89]|20) of 20 processes for 3 s"),
    "overlong": ("held for 2 s: line too long", "held: line too long"),
    "eats": ("exit 3: started again", "exit 3"),
    "deaf": ("does not obey stop: killed by signal 9",
             "does not obey stop: killed by signal 9"),
    "foreign": ("held for 2 s: the list number is another generator's",
                "held: the list number is another generator's"),
    "closes": ("has closed its output and does not end: stopped",
               "has closed its output and does not end"),
    "stderr": ("says more on its standard error than is logged",
               "says more on its standard error than is logged"),
    "kills": ("killed by signal 9: started again", "killed by signal 9"),
}
LATER = ("closes", "hangs", "deaf", "forks")  # while the good one is watched
TARGET_1 = "ip 192.0.2.7 1 %d\n" % CYCLE
NUMBER = {name: 2 + i for i, name in enumerate(BAD)}


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.02)


def publication(keys):
    p = Publication(keys, "m")
    text = "#!/bin/sh\n" + BEGIN + 'exec yes "%s"\n' % (TARGET % 7)
    p.code["good"] = text.encode()
    p.lists.append("list 1 name=good weight=95 run good")
    for name, script in BAD.items():
        p.code[name] = ("#!/bin/sh\n" + script).encode()
        p.lists.append("list %d name=%s weight=1 %s run %s" % (
            NUMBER[name], name, LIMITS.get(name, ""), name))
    p.allow = set(p.code.items())
    return p


def said():
    with open("err") as f:
        return f.read()


def logged(name):
    """Has the manager said in the log what NAME did?"""
    return re.search(r"^listmgr: list %d \(%s\): %s" % (
        NUMBER[name], name, REPORTS[name][0]), said(), re.M)


def told(srv, name):
    """... and the centre?"""
    with srv.lock:
        return any(
            re.match(REPORTS[name][1], b.get("trouble.%d" % NUMBER[name], ""))
            and re.match(r"%s .* (held|troubled)$" % name,
                         b["list.%d" % NUMBER[name]]) for b in srv.beats)


def of_good(srv):
    """What was said against the good one."""
    with srv.lock:
        return [line for line in said().splitlines() if "list 1 (" in line] + [
            b for b in srv.beats if "trouble.1" in b or
            not b["list.1"].endswith(" ok")]


def processes(first, count=1000):
    """How many there are of COUNT users from FIRST on."""
    n = 0
    for pid in os.listdir("/proc"):
        try:
            if pid.isdigit() and first <= os.stat(
                    "/proc/" + pid).st_uid < first + count:
                n += 1
        except FileNotFoundError:
            pass
    return n


def user_of(name):
    return os.stat("list-%d" % NUMBER[name]).st_uid


def here(name):
    return os.path.exists("list-%d/here" % NUMBER[name])


class Reader:
    """Takes READ bytes each 5 ms."""

    def __init__(self, fd):
        self.fd = fd
        os.set_blocking(fd, False)
        self.lines = b""
        self.late = 0
        self.due = time.monotonic()

    def read(self):
        self.due = max(self.due + 0.005, time.monotonic())
        time.sleep(max(0, self.due - time.monotonic()))
        try:
            self.lines += os.read(self.fd, READ)
        except BlockingIOError:
            self.late += 1

    def until(self, condition, what):
        end = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < end, "never: " + what
            for _ in range(20):
                self.read()

    def measure(self):
        self.lines = b""
        self.late = 0
        for _ in range(READS):
            self.read()
        got = [line.split()[2] for line in self.lines.split(b"\n")[1:-1]
               if line.startswith(b"ip ")]
        good, could = got.count(b"1"), READ * READS // len(TARGET_1)
        print("%d targets of the good one, which is %.1f %% of %d; %d others; "
              "%d of %d reads late" % (good, 100 * good / could, could,
                                       len(got) - good, self.late, READS))
        assert good >= 0.95 * could, "the good one has lost its share"


def watch(srv, reader):
    for name in BAD:
        if name not in LATER:
            reader.until(lambda: logged(name), name)
    reader.until(lambda: here("forks") and here("deaf"), "forks and deaf run")
    reader.measure()
    # One daemon at most of the one that leaves daemons behind.
    assert processes(user_of("kills"), 1) <= 5
    assert processes(user_of("forks"), 1) <= 20
    for name in BAD:
        reader.until(lambda: logged(name), name)
        reader.until(lambda: told(srv, name), "a heartbeat with " + name)
    assert not of_good(srv), of_good(srv)


def run(w, srv):
    r, out = os.pipe()
    fcntl.fcntl(out, F_SETPIPE_SZ, PIPE)
    with open("err", "w") as err:
        m = subprocess.Popen(
            [BIN + "/listmgr", "-U", str(UID), "-C", w.path("settings")],
            stdout=out, stderr=err)
    os.close(out)
    try:
        reader = Reader(r)
        watch(srv, reader)
        assert m.poll() is None, "the manager is gone"
        m.send_signal(signal.SIGTERM)
        os.set_blocking(r, True)
        while os.read(r, 1 << 16):
            pass
        assert m.wait(DEADLINE_S) == 0
        # Those that were killed last may wait for init to bury them.
        wait_for("nobody left", lambda: processes(UID) == 0)
    finally:
        if m.poll() is None:
            m.terminate()
            try:
                m.wait(10)
            except subprocess.TimeoutExpired:
                m.kill()


def main():
    with World() as w:
        keys = Keys(w, "root", "release", "assign")
        w.key("m")
        pin, port = w.key("cen"), free_port()
        srv = Centre(w, "cen", port)
        w.write("settings", "monitor m\nanchor %s\nkey %s\nstore %s\n"
                "server 127.0.0.1:%d %s\nperiod 1s\n" % (
                    keys["root"], w.path("m.key"), os.getcwd() + "/store",
                    port, pin))
        srv.publish(publication(keys))
        run(w, srv)


os.chdir(sys.argv[1])
main()
