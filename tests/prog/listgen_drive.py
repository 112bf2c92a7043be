"""Run a List Generator as a List Manager does: read its lines, send it line
commands.  What listgen-file.test cannot say in shell."""
import os
import subprocess
import sys
import time

BIN = os.environ["BIN"]
DEADLINE_S = 30


class Generator:
    program = "listgen-file"

    def __init__(self, *args, **env):
        self.p = subprocess.Popen(
            [BIN + "/" + self.program, *args], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SCAMPER_LIST": "7", **env})

    def line(self):
        line = self.p.stdout.readline()
        assert line.endswith(b"\n") or line == b"", line
        return line.decode().rstrip("\n")

    def begin(self):
        words = self.line().split()
        assert words[0:2] == ["begin", "7"], words
        start = [w[5:] for w in words if w.startswith("from=")]
        return int(words[2]), int(start[0]) if start else 1

    def ips(self, n, cycle):
        got = []
        for _ in range(n):
            verb, addr, lst, cyc = self.line().split()
            assert (verb, lst, cyc) == ("ip", "7", str(cycle))
            got.append(addr)
        return got

    def say(self, text):
        self.p.stdin.write(text.encode() + b"\n")
        self.p.stdin.flush()

    def done(self):
        code = self.p.wait(DEADLINE_S)
        self.p.stdin.close()
        self.p.stdout.close()
        return code


def state(path):
    try:
        with open(path) as f:
            return dict(line.rpartition(" #")[0].split(None, 1) for line in f)
    except FileNotFoundError:
        return {}


def wait_accepted(path, n):
    end = time.monotonic() + DEADLINE_S
    while state(path).get("accepted", "").strip() != str(n):
        assert time.monotonic() < end, state(path)
        time.sleep(0.02)


def write_list(path, n, first="10"):
    addrs = ["%s.%d.%d.%d" % (first, i >> 16, i >> 8 & 255, i & 255)
             for i in range(n)]
    with open(path, "w") as f:
        f.write("".join(a + "\n" for a in addrs))
    return addrs


def restart(tmp):
    """kill -9, stop, then to the end: nothing missing, nothing repeated."""
    addrs = write_list(tmp + "/list", 10000)
    st = tmp + "/state"
    g = Generator("-s", st, tmp + "/list")
    cycle, start = g.begin()
    assert start == 1
    got = g.ips(3000, cycle)[:2500]
    g.say("ack 2500")
    wait_accepted(st, 2500)
    g.p.kill()
    g.done()

    g = Generator("-s", st, tmp + "/list")
    assert g.begin() == (cycle, 2501)
    got += g.ips(2600, cycle)[:2500]
    g.say("ack 5000")
    g.say("stop")
    assert g.done() == 0
    wait_accepted(st, 5000)

    g = Generator("-s", st, tmp + "/list")
    assert g.begin() == (cycle, 5001)
    got += g.ips(5000, cycle)
    assert g.line() == "end 7 %d" % cycle
    assert g.p.poll() is None, "ends before all is accepted"
    g.say("ack 10000")
    wait_accepted(st, 10000)
    assert g.p.poll() is None, "ends before its end is accepted"
    g.say("ack 10000 end")
    assert g.done() == 0
    assert got == addrs
    assert state(st)["open"].strip() == "0"

    g = Generator("-s", st, tmp + "/list")
    again, start = g.begin()
    assert again > cycle and start == 1
    g.p.terminate()
    assert g.done() == 111


def commands(tmp):
    """new-cycle ends a cycle, update takes effect with the next; an ack too
    far and an unknown command change nothing."""
    one = write_list(tmp + "/one", 1)
    two = write_list(tmp + "/two", 2, "11")
    st = tmp + "/state"
    g = Generator("-r", "-i", "1h", "-s", st, tmp + "/one")
    cycle, _ = g.begin()
    assert g.ips(1, cycle) == one
    assert g.line() == "end 7 %d" % cycle
    g.say("ack 99")
    g.say("jump")
    g.say("update " + tmp + "/missing")
    g.say("update " + tmp + "/two")
    g.say("ack 1 end")
    wait_accepted(st, 1)
    g.say("new-cycle")
    second, _ = g.begin()
    assert second > cycle
    assert g.ips(2, second) == two
    assert g.line() == "end 7 %d" % second
    g.p.kill()
    g.done()

    # The update outlives the process; the open cycle goes on.
    g = Generator("-r", "-i", "1h", "-s", st, tmp + "/one")
    assert g.begin() == (second, 1)
    assert g.ips(2, second) == two
    g.say("stop")
    assert g.done() == 0

    # A list that changed under an open cycle goes on by number.
    write_list(tmp + "/two", 3, "12")
    g = Generator("-r", "-s", st, tmp + "/one")
    assert g.begin() == (second, 1)
    assert g.ips(1, second) == ["12.0.0.0"]
    g.p.stdout.close()
    assert g.p.wait(DEADLINE_S) == 0
    g.p.stdin.close()


def owed(tmp):
    """`new-cycle CYCLE' is done by one that is still in CYCLE, or waits behind
    it, and passed over by one that is not."""
    one = write_list(tmp + "/one", 1)
    args = ("-r", "-i", "1h", "-s", tmp + "/state", tmp + "/one")
    cycles = []

    def whole(g):
        cycles.append(g.begin()[0])
        assert g.ips(1, cycles[-1]) == one
        assert g.line() == "end 7 %d" % cycles[-1]
        g.say("ack 1 end")
        wait_accepted(tmp + "/state", 1)

    g = Generator(*args)
    whole(g)
    g.say("stop")
    assert g.done() == 0
    # Nothing is due for an hour.
    g = Generator(*args)
    g.say("new-cycle %d" % cycles[0])
    whole(g)
    g.say("new-cycle %d" % cycles[0])
    g.say("new-cycle x")
    g.say("new-cycle %d" % cycles[1])
    whole(g)
    assert cycles[0] < cycles[1] < cycles[2], cycles
    g.say("new-cycle %d" % cycles[1])
    g.say("stop")
    assert g.p.stdout.read() == b"", "another one"
    assert g.done() == 0


def changed(tmp):
    """`new-cycle CYCLE' is not passed over by one that is in a later cycle, but
    with a list that has changed since that was begun."""
    for n, first in enumerate(("10", "11")):
        write_list(tmp + "/one", 1)
        st = tmp + "/state.%d" % n
        g = Generator("-r", "-i", "1h", "-s", st, tmp + "/one")
        cycle, _ = g.begin()
        g.p.kill()
        g.done()
        if first != "10":
            write_list(tmp + "/one", 2, first)
        g = Generator("-r", "-i", "1h", "-s", st, tmp + "/one")
        assert g.begin() == (cycle, 1)
        g.ips(1 + n, cycle)
        assert g.line() == "end 7 %d" % cycle
        g.say("new-cycle %d" % (cycle - 1))
        g.say("ack %d end" % (1 + n))
        if n == 1:
            again, _ = g.begin()
            assert again > cycle
            assert g.ips(2, again) == ["11.0.0.0", "11.0.0.1"]
            assert g.line() == "end 7 %d" % again
        g.say("stop")
        assert g.p.stdout.read() == b"", "another one"
        assert g.done() == 0


def reading(tmp):
    """An order that comes while the list is read is obeyed by the cycle that is
    about to begin, which reads the list as it is then."""
    for name in "/before", "/after":
        os.mkfifo(tmp + name)
    g = Generator("-r", "-i", "1h", "-s", tmp + "/state", tmp + "/before")
    g.say("update " + tmp + "/after")
    g.say("new-cycle")
    # A pipe opens when the generator opens it, too.
    open(tmp + "/before", "w").close()
    with open(tmp + "/after", "w") as f:
        f.write("10.0.0.2\n")
    cycle, _ = g.begin()
    assert g.ips(1, cycle) == ["10.0.0.2"]
    assert g.line() == "end 7 %d" % cycle
    g.say("ack 1 end")
    wait_accepted(tmp + "/state", 1)
    g.say("stop")
    assert g.p.stdout.read() == b"", "another one"
    assert g.done() == 0


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
