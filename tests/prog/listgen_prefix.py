"""What listgen-prefix promises, with the truth worked out here: one address in
each prefix and in no longer one, the same after a kill, shares of a team."""
import collections
import gzip
import ipaddress
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
import listgen_drive  # noqa: E402

AGES = "10000d"  # an interval: the team's cycle is the same in the whole test


class Prefix(listgen_drive.Generator):
    program = "listgen-prefix"


def run(*args):
    """(cycle, targets) of one cycle."""
    p = subprocess.run([listgen_drive.BIN + "/listgen-prefix", *args],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, check=True)
    lines = p.stdout.splitlines()
    assert lines[0].startswith("begin ") and lines[-1].startswith("end "), p
    return int(lines[0].split()[2]), [w.split()[1] for w in lines[1:-1]]


def fixed(*args):
    """The targets of a cycle that is the same each time.  -S: 2001:db8::/32 and
    2001::/23 stand for IPv6 in tables here."""
    return run("-S", "-t", "1/1", "-i", AGES, *args)[1]


def table(rng, n):
    """Different prefixes, many of them inside others."""
    nets = set()
    while len(nets) < n:
        if rng.random() < 0.2:
            length = rng.choice((32, 40, 44, 48))
            a = 0x2001 << 112 | rng.getrandbits(96)
            nets.add(ipaddress.ip_network((a, length), strict=False))
        else:
            length = rng.choice((12, 16, 19, 20, 22, 23, 24, 24, 24))
            a = 20 << 24 | rng.getrandbits(24)
            nets.add(ipaddress.ip_network((a, length), strict=False))
    return nets


def longest(by_len, a):
    a = ipaddress.ip_address(a)
    for length in sorted(by_len[a.version], reverse=True):
        net = ipaddress.ip_network((a, length), strict=False)
        if net in by_len[a.version][length]:
            return net
    raise AssertionError("%s is in no prefix" % a)


def index(nets):
    by_len = {4: collections.defaultdict(set), 6: collections.defaultdict(set)}
    for net in nets:
        by_len[net.version][net.prefixlen].add(net)
    return by_len


def write(path, nets, form="%s\t%d\t64496_64497"):
    text = "".join(form % (n.network_address, n.prefixlen) + "\n"
                   for n in nets)
    with (gzip.open if path.endswith(".gz") else open)(path, "wt") as f:
        f.write(text)
    return path


def prefixes(tmp):
    """Each prefix that has room of its own is met once; the form and the
    order of the file are the same to it."""
    rng = random.Random(1)
    nets = list(table(rng, 6000))
    by_len = index(nets)
    plain = fixed(write(tmp + "/tabs", sorted(nets, key=str)))
    assert plain == fixed(write(tmp + "/gz.gz", sorted(nets, key=str)))
    rng.shuffle(nets)
    assert plain == fixed(write(tmp + "/slash", nets + nets, "%s/%d"))
    met = [longest(by_len, a) for a in plain]
    assert len(set(met)) == len(met), "a prefix twice"
    covered = {n for n in nets if n.prefixlen < n.max_prefixlen and
               all(s in by_len[n.version].get(n.prefixlen + 1, ())
                   for s in n.subnets())}
    missing = set(nets) - set(met)
    assert len(missing) < 20 and covered <= missing, missing
    # Other cycles and keys: other addresses, another order.
    other = fixed("-k", "other", tmp + "/tabs")
    assert len(set(other) & set(plain)) < 100 and len(other) > 5900
    order = {longest(by_len, a): i for i, a in enumerate(other)}
    assert sum(order.get(n) == i for i, n in enumerate(met)) < 100


def apart(tmp):
    """Neighbours in address space are a third of the cycle apart."""
    nets = [ipaddress.ip_network((20 << 24 | i << 8, 24)) for i in range(9000)]
    got = fixed(write(tmp + "/f", nets))
    at = {}
    for i, a in enumerate(got):
        at[int(ipaddress.ip_address(a)) >> 8 & 0xffff] = i
    assert len(at) == 9000
    assert min(abs(at[i] - at[i + 1]) for i in range(8999)) >= 9000 // 3
    assert min(abs(at[i] - at[i + 12]) for i in range(8988)) >= 9000 // 35


def select(tmp):
    """Split, maximum lengths, what to leave out, no edges."""
    nets = [ipaddress.ip_network(n) for n in (
        "20.0.0.0/16", "20.0.7.0/24", "21.0.0.0/25", "2001:db8::/44",
        "2001:db8:1::/48", "22.0.0.0/24", "22.0.0.0/26")]
    write(tmp + "/f", nets)
    got = fixed("-b", "24,48", tmp + "/f")
    parts = {ipaddress.ip_network((a, 24 if "." in a else 48), strict=False)
             for a in got}
    assert len(got) == 256 + 16 + 2 and len(parts) == len(got)
    got = fixed("-b", "18", "-M", "24,44", tmp + "/f")
    assert len(got) == 4 + 1 + 1, got
    with open(tmp + "/x", "w") as f:
        f.write("20.0.0.0/17\n21.0.0.0/8\n2001:db8::/45\n")
    got = fixed("-b", "24,48", "-e", "-x", tmp + "/x", tmp + "/f")
    assert len(got) == 128 + 8 + 1, len(got)
    assert all(a.startswith(("20.0.", "22.0.0.", "2001:db8")) for a in got)
    assert not any(a.endswith((".0", ".255")) for a in got)
    # Without -x the part that is left out is never drawn either.
    got = fixed("-x", tmp + "/x", tmp + "/f")
    assert all(int(a.split(".")[2]) >= 128 for a in got
               if a.startswith("20.0."))
    assert fixed("-M", "0,64", tmp + "/f")[0].startswith("2001:db8")


def same_order(part, whole):
    it = iter(whole)
    assert all(a in it for a in part), "another order"


def team(tmp):
    """Shares are disjoint, together complete and in the common order; after
    a death only the dead member's targets change hands."""
    f = write(tmp + "/f", table(random.Random(2), 4000))
    whole = fixed(f)
    share = {m: run("-S", "-t", "%d/4" % m, "-i", AGES, f)[1] for m in range(1, 5)}
    assert sorted(sum(share.values(), [])) == sorted(whole)
    for s in share.values():
        same_order(s, whole)
        assert 800 < len(s) < 1200, len(s)
    after = {m: run("-S", "-t", "%d/4" % m, "-i", AGES, "-m", "1,3,4", f)[1]
             for m in (1, 3, 4)}
    assert sorted(sum(after.values(), [])) == sorted(whole)
    for m, s in after.items():
        assert set(share[m]) < set(s)
        same_order(s, whole)
    assert run("-S", "-t", "2/4", "-i", AGES, "-m", "1,3,4", f)[1] == []
    # From a later cycle on: not yet.
    assert run("-S", "-t", "3/4", "-i", AGES, "-m", "1,3@4000000000", f)[1] == \
        share[3]
    # Within the cycle: 2 died behind its 300th, then 4 behind its 500th.
    cycle = run("-S", "-t", "1/4", "-i", AGES, f)[0]
    two, four = "%d:2:300" % cycle, "%d:4:500" % cycle
    taken = [run("-S", "-t", "%d/4" % m, "-i", AGES, "-T", two, "-T", four, f)[1]
             for m in (1, 3)]
    for m, s in zip((1, 3), taken):
        assert s[:len(share[m])] == share[m], "numbers of old have changed"
    done = sum(taken, []) + share[2][:300] + share[4][:500]
    assert len(done) == len(set(done)) and set(done) <= set(whole)
    # Lost is only what 4 was to take over from 2: a third of 2's rest.
    lost = set(whole) - set(done)
    assert lost < set(share[2][300:]) and len(lost) < 330, len(lost)
    taken = [run("-S", "-t", "%d/4" % m, "-i", AGES, "-T", two, f)[1]
             for m in (1, 3, 4)]
    assert sorted(sum(taken, []) + share[2][:300]) == sorted(whole)


def killed(tmp):
    """SIGKILL at random points, with what was acked: nothing missing, nothing
    twice, also when the operator names other members meanwhile."""
    rng = random.Random(3)
    f = write(tmp + "/f", table(rng, 5000))
    st = tmp + "/state"
    args = ["-S", "-t", "1/2", "-i", AGES, "-l", "7"]
    cycle, whole = run(*args, f)
    got = []
    for life in range(4):
        g = Prefix(*args, "-s", st, *(["-m", "1"] if life > 1 else []), f)
        assert g.begin() == (cycle, len(got) + 1)
        n = rng.randrange(50, 400)
        heard = g.ips(n, cycle)
        n = rng.randrange(0, n + 1)
        if n > 0:
            got += heard[:n]
            g.say("ack %d" % len(got))
            listgen_drive.wait_accepted(st, len(got))
        g.p.kill()
        g.done()
    g = Prefix(*args, "-s", st, "-m", "1", f)
    assert g.begin() == (cycle, len(got) + 1)
    got += g.ips(len(whole) - len(got), cycle)
    assert got == whole
    assert g.line() == "end 7 %d" % cycle
    g.say("ack %d end" % len(got))
    assert g.done() == 0


def commands(tmp):
    """new-cycle and update; members of a team agree on the cycle's number."""
    one = write(tmp + "/one", [ipaddress.ip_network("20.0.0.0/24")])
    two = write(tmp + "/two", [ipaddress.ip_network("21.0.0.0/24")])
    st = tmp + "/state"
    args = ["-r", "-t", "1/1", "-i", AGES, "-s", st, one]
    g = Prefix(*args)
    cycle, _ = g.begin()
    assert cycle % (10000 * 86400) == 0
    assert g.ips(1, cycle)[0].startswith("20.0.0.")
    assert g.line() == "end 7 %d" % cycle
    g.say("update " + two)
    g.say("ack 1 end")
    listgen_drive.wait_accepted(st, 1)
    g.say("new-cycle")
    assert g.begin() == (cycle + 1, 1)
    assert g.ips(1, cycle + 1)[0].startswith("21.0.0.")
    g.say("stop")
    assert g.done() == 0
    g = Prefix(*args)
    assert g.begin() == (cycle + 1, 1)
    assert g.ips(1, cycle + 1)[0].startswith("21.0.0.")
    g.say("ack 1 end")
    listgen_drive.wait_accepted(st, 1)
    g.say("stop")
    assert g.done() == 0


def large(tmp):
    """A full table: fast to start, small, a million lines in seconds."""
    path = tmp + "/full"
    with open(path, "w") as f:
        for i in range(1 << 20):
            f.write("%d.%d.%d.0\t24\t%d\n" % (
                64 + (i >> 16), i >> 8 & 255, i & 255, i))
        for i in range(180000):
            f.write("2001:%x:%x::\t48\t%d\n" % (i >> 16 | 0x400, i & 65535, i))
    n = (1 << 20) + 180000
    p = subprocess.Popen([listgen_drive.BIN + "/listgen-prefix", path],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    p.stdout.readline()
    with open("/proc/%d/stat" % p.pid) as f:
        ticks = sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))
    lines = 1 + sum(chunk.count(b"\n") for chunk in
                    iter(lambda: p.stdout.read(1 << 20), b""))
    _, status, usage = os.wait4(p.pid, 0)
    assert status == 0 and lines == n + 2, lines
    p.returncode = 0
    tick = os.sysconf("SC_CLK_TCK")
    spent = usage.ru_utime + usage.ru_stime
    print("%d targets: begins after %.2f s, %.2f us each, %d KB" % (
        n, ticks / tick, spent / n * 1e6, usage.ru_maxrss))
    # Wide bounds, for a busy machine: it takes 0.3 s, 1.1 us, 22,000 KB.
    assert ticks / tick < 2, "slow to start"
    assert spent / n < 4e-6, "slow"
    assert usage.ru_maxrss < 48 * 1024, "large"


globals()[sys.argv[1]](sys.argv[2])
