"""The List Manager through real pipes and sockets: one function per promise,
run by listmgr.test as `listmgr_drive.py FUNCTION DIRECTORY'."""
import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import time

BIN = os.environ["BIN"]
DEADLINE_S = 60
F_SETPIPE_SZ = 1031
CYCLE = 1700000000
managers = []


def wait_for(what, condition):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "never: " + what
        time.sleep(0.01)


def write(path, text, mode=0o644):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, mode)


def script(name, text):
    write(name, "#!/bin/sh\n" + text, 0o755)
    return os.path.abspath(name)


def addresses(n, first=10):
    return ["%d.%d.%d.%d" % (first, i >> 16, i >> 8 & 255, i & 255)
            for i in range(n)]


def commands(lst, addrs, end=True):
    text = "begin %d %d probe trace\n" % (lst, CYCLE)
    text += "".join("ip %s %d %d\n" % (a, lst, CYCLE) for a in addrs)
    return text + ("end %d %d\n" % (lst, CYCLE) if end else "")


def schedule(*lists):
    write("schedule", "monitor m\n" + "".join(
        "list %d name=l%d weight=%d run %s\n" % (n, n, w, run)
        for n, w, run in lists))


class Manager:
    def __init__(self, *args, stdout=subprocess.PIPE):
        self.err = open("err", "w")
        self.p = subprocess.Popen([BIN + "/listmgr", *args, "schedule"],
                                  stdout=stdout, stderr=self.err)
        self.out = self.p.stdout
        managers.append(self.p)

    def rest(self):
        """All lines to the end."""
        lines = self.out.read().decode().splitlines()
        self.code = self.p.wait(DEADLINE_S)
        return lines

    def said(self):
        with open("err") as f:
            return f.read()

    def children(self):
        with open("/proc/%d/task/%d/children" % (self.p.pid, self.p.pid)) as f:
            return [int(w) for w in f.read().split()]


class Prober:
    """What a Prober keeps: numbers accepted once, in order."""

    def __init__(self):
        self.begins, self.ends, self.got, self.number = [], [], {}, {}

    def take(self, line):
        w = line.split()
        key = (int(w[-2]), int(w[-1])) if w[0] != "begin" else (
            int(w[1]), int(w[2]))
        if w[0] == "begin":
            start = [int(k[5:]) for k in w if k.startswith("from=")]
            self.begins.append(key)
            self.number[key] = start[0] - 1 if start else 0
            self.got.setdefault(key, [])
        elif w[0] == "ip":
            self.number[key] += 1
            if self.number[key] == len(self.got[key]) + 1:
                self.got[key].append(w[1])
            assert self.number[key] <= len(self.got[key]), "a gap"
        else:
            self.ends.append(key)


def backlog(weights, again=None):
    """Lists 1, 2 ... with WEIGHTS; all generators have all their lines in
    their pipes before the manager's output moves.  AGAIN is weights that
    SIGHUP gives before that.  The lists' numbers in their order, behind the
    first batch, which began before all were there, as far as all have some."""
    addrs = {n + 1: addresses(1500, 10 + n) for n in range(len(weights))}
    for n, a in addrs.items():
        write("in.%d" % n, commands(n, a))
    gen = script("gen", "cat in.$SCAMPER_LIST\n: >done.$SCAMPER_LIST\n")

    def set_weights(weights):
        schedule(*((n + 1, w, gen) for n, w in enumerate(weights)))
    set_weights(weights)
    r, w = os.pipe()
    fcntl.fcntl(w, F_SETPIPE_SZ, 4096)
    os.write(w, b"#" * 4096)
    m = Manager("-v", stdout=w)
    os.close(w)
    wait_for("generators done", lambda: all(
        os.path.exists("done.%d" % n) for n in addrs))
    if again is not None:
        set_weights(again)
        m.p.send_signal(signal.SIGHUP)
        wait_for("a weight", lambda: "weight %d" % again[0] in m.said())
    m.out = os.fdopen(r, "rb")
    m.out.read(4096)
    lines = m.rest()
    assert m.code == 0, m.said()
    for n, a in addrs.items():
        assert [x.split()[1] for x in lines if x[:2] == "ip" and
                x.split()[2] == str(n)] == a
    seen, turns = 0, ""
    for line in lines:
        seen += len(line) + 1
        if seen > 17000 and line.startswith("ip"):
            turns += line.split()[2]
    turns = turns[turns.index(str(len(weights))) + 1:]
    both = turns[:min(turns.rindex(str(n)) for n in addrs) + 1]
    assert len(both) > 500, len(both)
    return both


def weights():
    """3:1 is 3:1."""
    both = backlog((3, 1))
    assert re.fullmatch("(1112)*1{0,3}", both), both


def weights321():
    """3:2:1 is 3:2:1."""
    both = backlog((3, 2, 1))
    assert re.fullmatch("(111223)*1{0,3}2{0,2}", both), both


def reweight():
    """A weight that SIGHUP changes applies at once."""
    both = backlog((3, 1), (2, 1))
    assert re.fullmatch("(112)*1{0,2}", both), both


def dying():
    """kill -9 in the middle of a cycle: it comes back and continues it."""
    addrs = addresses(60000)
    write("list", "".join(a + "\n" for a in addrs))
    schedule((7, 1, "listgen-file -s state list"))
    m = Manager()
    p = Prober()
    for _ in range(20000):
        p.take(m.out.readline().decode())
    wait_for("a position", lambda: re.search(
        r"^accepted [1-9]", open("state").read(), re.M))
    os.kill(m.children()[0], signal.SIGKILL)
    for line in m.rest():
        p.take(line)
    assert m.code == 0, m.said()
    assert len(p.begins) == 2 and len(set(p.begins)) == 1, p.begins
    assert p.ends == [p.begins[0]]
    assert p.got[p.begins[0]] == addrs
    assert "killed by signal 9: started again" in m.said(), m.said()
    assert "open 0" in open("state").read(), "not told that all was taken"


def garbage():
    """Each kind of bad line once, counted; the good one is not touched."""
    good = addresses(3000)
    write("good", commands(1, good))
    bad = commands(2, ["192.0.2.1"], end=False)
    bad += "ip 192.0.2 2 %d\n" % CYCLE * 500
    bad += "ip 192.0.2.1 1 %d\n" % CYCLE
    bad += "ip 192.0.2.1 2 1234\nexit now\nwhat 1\n\n"
    bad += "x" * 100000 + "\n" + "ip 192.0.2.9 2 %d\n" % CYCLE
    bad += "end 2 %d\nip 192.0.2.3 2 %d\nip 192.0." % (CYCLE, CYCLE)
    write("bad", bad)
    schedule((1, 1, "cat good"), (2, 1, "cat bad"))
    m = Manager()
    lines = m.rest()
    assert m.code == 0
    assert [x for x in lines if x.split()[-2] == "1" or
            x.startswith("begin 1")] == commands(1, good).splitlines()
    assert [x for x in lines if x.split()[-2] == "2" or
            x.startswith("begin 2")] == [
        "begin 2 %d probe trace" % CYCLE, "ip 192.0.2.1 2 %d" % CYCLE,
        "ip 192.0.2.9 2 %d" % CYCLE, "end 2 %d" % CYCLE], lines
    want = ["line 3: not an IPv4 or IPv6 address",
            "line 503: the list number is another generator's",
            "line 504: no begin for this cycle",
            "line 505: exit is not a generator's to say",
            "line 506: unknown verb",
            "line 507: empty line",
            "line 508: line too long",
            "line 512: input ends inside this line",
            "500 lines refused: not an IPv4 or IPv6 address",
            "2 lines refused: no begin for this cycle"]
    assert m.said().splitlines() == ["listmgr: list 2 (l2): " + w
                                     for w in want], m.said()


def flood():
    """A generator of endless garbage does not keep the others waiting."""
    good = addresses(20000)
    write("good", commands(1, good))
    schedule((1, 1, "cat good"), (2, 1, "yes garbage"))
    m = Manager()
    got = [m.out.readline().decode() for _ in range(20002)]
    assert "".join(got) == commands(1, good)
    m.p.send_signal(signal.SIGTERM)
    assert m.rest() == [] and m.code == 0


def term_with(args, last):
    """SIGTERM: `stop' to the generators, LAST to the Prober, exit 0."""
    gen = script("gen", commands(3, ["192.0.2.1"], end=False).join(
        ["cat <<'!'\n", "!\n"]) + "cat >heard\n")
    deaf = script("deaf", "exec sleep 1000\n")
    schedule((3, 1, gen), (4, 1, deaf))
    m = Manager(*args)
    m.out.readline()
    assert m.out.readline().decode() == "ip 192.0.2.1 3 %d\n" % CYCLE
    m.p.send_signal(signal.SIGTERM)
    lines = m.rest()
    assert lines == last, lines
    assert m.code == 0, m.said()
    wait_for("stop", lambda: os.path.exists("heard") and
             open("heard").read() == "ack 1\nstop\n")
    assert m.said() == "", m.said()


def term():
    """The Prober goes on with what it has, or with -x is told to exit."""
    term_with([], [])
    term_with(["-x"], ["exit"])


def slow():
    """A reader that does not read stops the generator; nothing grows, and
    nothing is lost."""
    addrs = addresses(100000)
    write("list", "".join(a + "\n" for a in addrs))
    schedule((7, 1, "listgen-file list"))
    m = Manager()
    m.out.readline()
    pid = m.children()[0]

    def written():
        with open("/proc/%d/io" % pid) as f:
            return int(re.search(r"wchar: (\d+)", f.read())[1])

    def stands():
        at = written()
        time.sleep(0.5)
        return at > 100000 and written() == at
    wait_for("a generator that waits", stands)
    before = written()
    # Two pipes, a buffer, a batch; python's reader.
    assert before < 2 * 65536 + 65536 + 16384 + 16384, before
    with open("/proc/%d/status" % m.p.pid) as f:
        rss_kb = int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])
    assert rss_kb < 100000, rss_kb
    lines = m.rest()
    assert m.code == 0 and lines[-1].startswith("end 7 ")
    assert [x.split()[1] for x in lines[:-1]] == addrs


def ends():
    """Exit 100 is not restarted and is the manager's; exit 0 without `end'
    gets its end; a cycle that was forgotten is ended; a program that cannot
    be kept is nobody else's trouble."""
    write("a", commands(1, ["192.0.2.1"], end=False))
    write("b", commands(2, ["192.0.2.2"], end=False) +
          "begin 2 1700000001 probe trace\nend 2 1700000001\n")
    no = script("no", "exit 100\n")
    schedule((1, 1, "cat a"), (2, 1, "cat b"), (3, 1, no))
    m = Manager()
    lines = m.rest()
    assert m.code == 100
    assert [x for x in lines if " 1 " in x] == commands(
        1, ["192.0.2.1"]).splitlines(), lines
    assert [x for x in lines if " 2 " in x] == (
        commands(2, ["192.0.2.2"]).splitlines() +
        ["begin 2 1700000001 probe trace", "end 2 1700000001"]), lines
    assert m.said() == "listmgr: list 3 (l3): exit 100: not started again\n"


def reader_gone():
    """Standard output without a reader: said, 111, nobody left behind."""
    write("list", "192.0.2.1\n" * 100000)
    schedule((7, 1, "listgen-file list"))
    m = Manager()
    m.out.readline()
    pids = m.children()
    m.out.close()
    assert m.p.wait(DEADLINE_S) == 111
    assert m.said() == "listmgr: standard output: Broken pipe\n", m.said()
    wait_for("an end", lambda: not any(
        os.path.exists("/proc/%d" % pid) for pid in pids))


def reload():
    """SIGHUP: weights at once, lists come and go, others are untouched; a bad
    file keeps the old schedule."""
    gen = script("gen", "echo $$ >>pids.$SCAMPER_LIST\n"
                 "cat in.$SCAMPER_LIST\nexec cat >heard.$SCAMPER_LIST\n")
    for n in 1, 2, 3:
        write("in.%d" % n, commands(n, ["192.0.2.%d" % n], end=False))
    schedule((1, 1, gen), (2, 1, gen))
    m = Manager("-v")

    def lines(n):
        return sorted(m.out.readline().decode() for _ in range(n))
    assert lines(4) == sorted(commands(1, ["192.0.2.1"], False).splitlines(
        True) + commands(2, ["192.0.2.2"], False).splitlines(True))
    write("schedule", "monitor m\nlist 1 name=l1 weight=x run cat\n")
    m.p.send_signal(signal.SIGHUP)
    wait_for("refusal", lambda: "keeping the schedule" in m.said())
    assert 'schedule:2: weight "x" is not' in m.said()
    schedule((1, 5, gen), (3, 1, gen))
    m.p.send_signal(signal.SIGHUP)
    assert lines(2) == sorted(commands(3, ["192.0.2.3"], False).splitlines(
        True))
    wait_for("stop", lambda: os.path.exists("heard.2") and
             "stop" in open("heard.2").read())
    # The same list run in another way: the old one goes first.
    other = script("other", ". ./gen\n")
    schedule((1, 5, gen), (3, 1, other))
    m.p.send_signal(signal.SIGHUP)
    assert len(lines(2)) == 2
    m.p.send_signal(signal.SIGTERM)
    assert m.rest() == [] and m.code == 0
    assert len(open("pids.1").read().split()) == 1, "restarted"
    assert len(open("pids.3").read().split()) == 2


def prober():
    """-p: acks come from the Prober; when it is lost the generators go on
    behind the last ack."""
    addrs = addresses(50000)
    write("list", "".join(a + "\n" for a in addrs))
    schedule((7, 1, "listgen-file -s state list"))
    m = Manager("-p", "./socket")
    wait_for("complaint", lambda: "./socket: " in m.said())
    srv = socket.socket(socket.AF_UNIX)
    srv.settimeout(DEADLINE_S)
    srv.bind("./socket")
    srv.listen()
    p = Prober()

    def lines(conn, room):
        """Lines that come in.  With ROOM: so many targets are wanted at a
        time, and no more may come; only the first answer may be late."""
        rest, got, wanted = b"", 0, room
        if room:
            conn.sendall(b"room %d\n" % room)
        while True:
            data = conn.recv(65536)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            got += sum(line.startswith(b"ip") for line in whole)
            assert not room or got <= wanted or wanted == room, (got, wanted)
            if room and got >= wanted:
                wanted = got + room
                conn.sendall(b"room %d\n" % wanted)
            yield from (line.decode() + "\n" for line in whole)

    def serve(upto, room=0):
        """Take lines until UPTO are accepted (None: the end), ack each
        hundred."""
        conn, _ = srv.accept()
        conn.settimeout(DEADLINE_S)
        for line in lines(conn, room):
            p.take(line)
            key = p.begins[-1]
            n = len(p.got[key])
            if n % 100 == 0 or line.startswith("end"):
                conn.sendall(b"ack %d %d %d%s\n" % (
                    *key, n, b" end" if line.startswith("end") else b""))
            if n == upto:
                break
        wait_for("the ack in the state", lambda: upto is None or
                 accepted("state") == (upto, 1))
        conn.close()
    serve(10000)
    serve(20000, 300)
    serve(None)
    assert m.p.wait(DEADLINE_S) == 0, m.said()
    assert len(p.begins) == 3 and len(set(p.begins)) == 1, p.begins
    assert p.got[p.begins[0]] == addrs
    assert p.ends == [p.begins[0]]
    assert accepted("state") == (50000, 0)


def accepted(path):
    """How many, and whether the cycle is open, says a kept position."""
    words = dict(line.split()[:2] for line in open(path))
    return int(words["accepted"]), int(words["open"])


def listeners(*directives):
    """A list for each directive, with the file f.N, whose generator notes its
    starts in starts.N and what it hears in heard.N."""
    gen = script("gen", 'echo $$ >>starts.$SCAMPER_LIST\n'
                 'exec 3>&1\nexec cat >>heard.$SCAMPER_LIST\n')
    schedule(*((n + 1, 1, gen) for n in range(len(directives))))
    with open("schedule", "a") as f:
        for n, what in enumerate(directives):
            write("f.%d" % (n + 1), "0")
            f.write("file %d f.%d on-change=%s\n" % (n + 1, n + 1, what))
    m = Manager("-p", "./nobody")
    srv = socket.socket(socket.AF_UNIX)
    srv.bind("./nobody")
    srv.listen()
    wait_for("starts", lambda: all(
        count("starts", n + 1) for n in range(len(directives))))
    m.srv = srv
    return m


def count(what, n):
    try:
        with open("%s.%d" % (what, n)) as f:
            return len(f.readlines())
    except FileNotFoundError:
        return 0


def directives():
    """Each directive once per change, and to nobody else; a file that is
    written anew with the same bytes, touched, or gone for a moment is no
    change."""
    m = listeners("none", "update", "new-cycle", "restart", "update")
    for turn in 1, 2:
        for n in 1, 2, 3, 4:
            write("f.%d" % n, "x" * turn)
        wait_for("turn %d" % turn, lambda: (
            count("heard", 2), count("heard", 3),
            count("starts", 4)) >= (turn, 2 * turn, turn + 1))
        os.utime("f.5")
        if turn == 1:
            write("f.5", "0")
        else:
            os.rename("f.5", "away")
            os.rename("away", "f.5")
    # One that is told behind all this: nothing is on its way to the others.
    write("f.5", "new")
    wait_for("the last", lambda: count("heard", 5))
    m.p.send_signal(signal.SIGTERM)
    assert m.p.wait(DEADLINE_S) == 0, m.said()
    heard = [open("heard.%d" % n).read().splitlines() if n else None
             for n in range(6)]
    assert heard[1] == ["stop"], heard[1]
    assert heard[2] == ["update f.2"] * 2 + ["stop"], heard[2]
    assert heard[3] == ["update f.3", "new-cycle"] * 2 + ["stop"], heard[3]
    assert heard[4] == ["stop"] * 3, heard[4]
    assert heard[5] == ["update f.5", "stop"], heard[5]
    assert [count("starts", n) for n in (1, 2, 3, 4, 5)] == [1, 1, 1, 3, 1]


def writers():
    """Editors that write at once, in pieces and by rename: never more orders
    than changes, none for a content that was the last one told of, and the
    last content is told of."""
    m = listeners("update")
    edit = """
import os, sys
for i in range(150):
    text = "%s %d\\n" % (sys.argv[1], i) * 500
    if i % 3:
        with open("f.1", "w") as f:
            for k in range(0, len(text), 1000):
                f.write(text[k:k + 1000])
                f.flush()
    else:
        with open("t." + sys.argv[1], "w") as f:
            f.write(text)
        os.rename("t." + sys.argv[1], "f.1")
"""
    ps = [subprocess.Popen([sys.executable, "-c", edit, str(n)])
          for n in range(4)]
    assert [p.wait() for p in ps] == [0] * 4
    wait_for("an order", lambda: count("heard", 1))
    told = count("heard", 1)
    write("f.1", "the last")
    wait_for("the last", lambda: count("heard", 1) > told)
    m.p.send_signal(signal.SIGTERM)
    assert m.p.wait(DEADLINE_S) == 0, m.said()
    assert open("heard.1").read().splitlines() == (
        ["update f.1"] * (told + 1) + ["stop"])
    # One rest, or a few more on a machine that stops now and then.
    assert told <= 10, told


def unasked():
    """A cycle that a generator begins of itself before it reads its order does
    not pay for it: the process that comes when this one is killed is told."""
    gen = script("gen", """cycle=$(cat cycle 2>/dev/null || echo %d)
begin() {
	echo $cycle >new && mv new cycle
	echo "begin 1 $cycle probe trace"
}
begin
if [ ! -e go ]; then
	until [ -e go ]; do sleep 0.02; done
	cycle=$((cycle + 1))
	begin
	exec sleep 1000
fi
while read -r verb after; do
	echo "$verb${after:+ $after}" >>heard
	[ "$verb" = new-cycle ] && [ "$cycle" -le "${after:-$cycle}" ] || continue
	cycle=$((cycle + 1))
	begin
done
""" % CYCLE)
    schedule((1, 1, gen))
    with open("schedule", "a") as f:
        f.write("file 1 f on-change=new-cycle\n")
    write("f", "0")
    m = Manager("-v")
    assert m.out.readline().startswith(b"begin 1 %d " % CYCLE), m.said()
    write("f", "1")
    wait_for("an order", lambda: "f: new-cycle" in m.said())
    write("go", "")
    while not m.out.readline().startswith(b"begin 1 %d " % (CYCLE + 1)):
        pass
    os.kill(m.children()[0], signal.SIGKILL)
    wait_for("a second order", lambda: os.path.exists("heard"))
    while not m.out.readline().startswith(b"begin 1 %d " % (CYCLE + 2)):
        pass
    m.p.send_signal(signal.SIGTERM)
    assert not [x for x in m.rest() if x.startswith("begin")]
    with open("heard") as f:
        assert f.read() == "new-cycle %d\nstop\n" % (CYCLE + 1)


def rate():
    """rate= is kept, also when it is changed, and line= refuses."""
    gen = script("gen", commands(3, ["192.0.2.1"], end=False).join(
        ["cat <<'!'\n", "!\n"]) + "printf '%%070d\\n' 0\n"
        "exec yes 'ip 192.0.2.2 3 %d'\n" % CYCLE)
    text = "monitor m\nlist 3 name=l3 weight=1 line=64 rate=%d run " + gen
    write("schedule", text % 50)
    m = Manager("-v")
    start = time.monotonic()
    for _ in range(107):
        assert m.out.readline()
    # 107 lines are 106 targets: 6 at once, then 50 a second.
    took = time.monotonic() - start
    assert took >= 2.0, took
    write("schedule", text % 100000)
    m.p.send_signal(signal.SIGHUP)
    wait_for("the new rate", lambda: "weight 1" in m.said())
    for _ in range(20000):
        assert m.out.readline()
    assert time.monotonic() - start < DEADLINE_S
    assert "line 3: line too long" in m.said()
    m.p.send_signal(signal.SIGTERM)
    m.rest()
    assert m.code == 0


def too_late(signo, frame):
    raise TimeoutError("the whole test takes too long")


os.chdir(sys.argv[2])
os.environ["PATH"] = BIN + ":" + os.environ["PATH"]
signal.signal(signal.SIGALRM, too_late)
signal.alarm(2 * DEADLINE_S)
try:
    globals()[sys.argv[1]]()
finally:
    # A manager that is left takes its generators with it when it is asked.
    for left in managers:
        if left.poll() is None:
            left.terminate()
            left.stdout and left.stdout.close()
            try:
                left.wait(10)
            except subprocess.TimeoutExpired:
                left.kill()
