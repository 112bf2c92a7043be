"""Twelve generators that misbehave, each in its way, beside a good one.

The good one keeps its share: the reader takes lines at a steady pace, far below
what the manager can give, and there is a second's worth of lines in the pipe.
Of all targets that it gets at least 95 in 100 are the good one's, and it never
has to wait for more than 5 in 100 of its reads.  Both are ratios within one run,
and only a manager that is kept from its work for a second spoils them.

And each of the twelve is dealt with as listmgr(8) says, and leaves nothing
behind."""
import fcntl
import os
import re
import signal
import subprocess
import sys
import time

BIN = os.environ["BIN"]
DEADLINE_S = 60
F_SETPIPE_SZ = 1031
PIPE = 1 << 18
READ = 1024  # bytes, about 33 targets, 200 times a second
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
LIMITS = {"forks": "processes=20", "eats": "memory=64M"}
NUMBER = {name: 2 + i for i, name in enumerate(BAD)}


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.02)


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def prepare():
    text = "monitor m\nlist 1 name=good weight=95 run %s/good\n" % os.getcwd()
    write("good", "#!/bin/sh\n" + BEGIN + 'exec yes "%s"\n' % (TARGET % 7),
          0o755)
    for name, script in BAD.items():
        write(name, "#!/bin/sh\n" + script, 0o755)
        text += "list %d name=%s weight=1 %s run %s/%s\n" % (
            NUMBER[name], name, LIMITS.get(name, ""), os.getcwd(), name)
    write("schedule", text)


def said():
    with open("err") as f:
        return f.read()


def of(name, pattern):
    """Has the manager said PATTERN of the generator NAME?"""
    return re.search(r"^listmgr: list %d \(%s\): %s" % (
        NUMBER[name], name, pattern), said(), re.M)


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
        good = got.count(b"1") / len(got)
        print("%d targets, %.1f %% of the good one, %d of %d reads late"
              % (len(got), 100 * good, self.late, READS))
        assert good >= 0.95, "the good one has lost its share"
        assert self.late <= READS / 20, "the reader had to wait"


DEALT_WITH = {
    "dies": lambda: of("dies", "exit 1: started again in 2.0 s"),
    "floods": lambda: True,
    "garbage": lambda: of("garbage", "held for 2 s: unknown verb"),
    "hangs": lambda: True,
    "forks": lambda: here("forks"),
    "overlong": lambda: of("overlong", "held for 2 s: line too long"),
    "eats": lambda: of("eats", "exit 3: started again"),
    "deaf": lambda: here("deaf"),
    "foreign": lambda: of("foreign", "held for 2 s: the list number"),
    "closes": lambda: of("closes", "has closed its output and does not end"),
    "stderr": lambda: of("stderr", "says more on its standard error"),
    "kills": lambda: of("kills", "killed by signal 9: started again"),
}


def main():
    prepare()
    began = time.monotonic()
    r, w = os.pipe()
    fcntl.fcntl(w, F_SETPIPE_SZ, PIPE)
    with open("err", "w") as err:
        m = subprocess.Popen([BIN + "/listmgr", "-U", str(UID), "schedule"],
                             stdout=w, stderr=err)
    os.close(w)
    try:
        reader = Reader(r)
        for name, dealt_with in DEALT_WITH.items():
            if name != "closes":
                reader.until(dealt_with, name)
        print("all misbehave after %.1f s" % (time.monotonic() - began))
        reader.measure()
        most = processes(user_of("forks"), 1)
        assert 1 < most <= 20, "%d processes of the one that forks" % most
        # One daemon at most of the one that leaves daemons behind.
        assert processes(user_of("kills"), 1) <= 5
        reader.until(DEALT_WITH["closes"], "closes")
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


os.chdir(sys.argv[1])
main()
