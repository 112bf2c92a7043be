#!/usr/bin/env python3
"""Helper of prober-polite.test.

    prober_polite.py make               the list: crowded prefixes first
    prober_polite.py budgets PCAP       what went to each address and prefix
    prober_polite.py phases PCAP MARKS  packets/s between times: a line
                                        "NAME BEGIN END MOST" each
"""
import collections
import ipaddress
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lib"))
import pcap  # noqa: E402

PPS, PREFIX_PPS, ADDRESS_PPS = 2000, 40, 4  # as in the test
# What the budgets themselves allow in a second; then what the capture adds.
SLACK = {PREFIX_PPS: PREFIX_PPS * 0.01 + 1, ADDRESS_PPS: ADDRESS_PPS * 0.01 + 1}
CAPTURE = 1
MONITOR = ("198.51.100.2", "2001:db8:1::2")


def make():
    for i in range(1, 41):
        print("11.1.1.%d" % i)
        if i <= 30:
            print("2400:1:1:%x::1" % i)
    tool = os.path.join(os.path.dirname(__file__), "../lib/targets.py")
    for family in ("4", "6"):
        print(subprocess.run([tool, family, "800"], text=True, check=True,
                             capture_output=True).stdout, end="")


def probes(path):
    for p in pcap.packets(path):
        if p.src in MONITOR and p.kind in ("udp", "echo"):
            yield p.ts, ipaddress.ip_address(p.dst)


def worst(times, allowed):
    """Of all spans of a second that begin with one of TIMES, the one that
    exceeds allowed(BEGIN) most: by how much, how many."""
    times.sort()
    worst = (-PPS, 0)
    end = 0
    for i, t in enumerate(times):
        while end < len(times) and times[end] < t + 1:
            end += 1
        worst = max(worst, (end - i - allowed(t), end - i))
    return worst


def budgets(path):
    address, prefix = collections.defaultdict(list), collections.defaultdict(list)
    everything = []
    for ts, a in probes(path):
        net = ipaddress.ip_network((a, 24 if a.version == 4 else 48),
                                   strict=False)
        address[a].append(ts)
        prefix[net].append(ts)
        everything.append(ts)
    begin = min(everything)
    silences = pcap.Silences(everything)
    for what, times, pps in (("address", address, ADDRESS_PPS),
                             ("prefix", prefix, PREFIX_PPS)):
        # Packets that left late, after a silence, come closer to the next.
        def allowed(t):
            return pps * (1 + silences.between(t - 1, t + 1)) + SLACK[pps] + \
                CAPTURE
        over, most, which = max((*worst(t, allowed), str(k))
                                for k, t in times.items())
        print("at most %d packets/s to one %s (%s)" % (most, what, which))
        assert over <= 0, "over the budget"
        assert most > pps * 0.8, "the budget was not even reached"
    # Others lose nothing by it.  Behind crowded prefixes they would be as slow
    # as these; how fast they are is the machine's affair.
    rate = sum(begin + 0.5 < t < begin + 3.5 for t in everything) / \
        (3 - silences.between(begin + 0.5, begin + 3.5))
    print("%d packets/s in all" % rate)
    assert rate > PPS * 0.15, "others were slowed down"
    for net in ("11.1.1.0/24", "2400:1:1::/48"):
        times = prefix[ipaddress.ip_network(net)]
        used = sum(t < begin + 4 for t in times) / \
            (4 - silences.between(begin, begin + 4))
        print("%s: %d packets, %.1f/s" % (net, len(times), used))
        assert used > PREFIX_PPS * 0.3, "its budget is not used"


def phases(path, marks):
    times = [ts for ts, _ in probes(path)]
    silences = pcap.Silences(times, 0.1)
    for line in open(marks):
        name, begin, end, most = line.split()
        begin, end, most = float(begin), float(end), int(most)
        count = sum(begin <= t < end for t in times)
        late = silences.between(begin, end) if most else 0
        print("%s: %d packets in %.1f s, and %.1f s of silence, "
              "at most %d a second" % (name, count, end - begin, late, most))
        assert count <= most * (end - begin + late), name


globals()[sys.argv[1]](*sys.argv[2:])
