#!/usr/bin/env python3
"""The table of the benchmark, from the lines "KEY VALUE" of a results file.

usage: table.py RESULTS

A figure is the median of a key's values; with several, "(least-most)" behind
it.  Rows whose keys are not there are left out.
"""
import statistics
import sys

METHODS = [("4.udp-paris", "IPv4 UDP"), ("4.icmp-paris", "IPv4 ICMP"),
           ("6.udp-paris", "IPv6 UDP"), ("6.icmp-paris", "IPv6 ICMP")]
RATES = (1, 20, 100, 1000, 5000, 10000, 50000, 100000, 400000)
HEAD = ("what", "here", "scamper", "bare", "ratio", "goal", "", "simulator")


def load(path):
    values = {}
    with open(path) as f:
        for line in f:
            key, _, value = line.partition(" ")
            values.setdefault(key, []).append(float(value))
    return values


class Table:
    def __init__(self, values):
        self.values, self.rows = values, []

    def median(self, key):
        return statistics.median(self.values[key])

    def show(self, key, digits):
        v = self.values.get(key)
        if v is None:
            return ""
        text = "%.*f" % (digits, statistics.median(v))
        if len(v) > 1:
            text += " (%.*f-%.*f)" % (digits, min(v), digits, max(v))
        return text

    def row(self, what, ours, goal="", met=None, **other):
        digits = other.get("digits", 2)
        if ours not in self.values and "bare" not in other:
            return
        far = other.get("far")
        self.rows.append((
            what, self.show(ours, digits),
            self.show(other.get("theirs"), digits),
            self.show(other.get("bare"), digits), other.get("ratio", ""),
            goal, "" if met is None else "yes" if met else "NO",
            "%.0f %% of a core" % self.median(far)
            if far in self.values else other.get("note", "")))

    def ratio(self, what, ours, beside, most, goal, **other):
        """A row in which OURS / BESIDE is to be at most MOST."""
        if ours not in self.values or beside not in self.values:
            return
        r = self.median(ours) / self.median(beside)
        self.row(what, ours, goal, r <= most if goal else None,
                 ratio="%.2f" % r, **other)

    def print(self):
        rows = [HEAD, ["-" * 3] * len(HEAD)] + self.rows
        widths = [max(len(r[i]) for r in rows) for i in range(len(HEAD))]
        for r in rows:
            cells = [("-" * w if c == "---" else c.ljust(w))
                     for c, w in zip(r, widths)]
            print("| " + " | ".join(cells) + " |")


def cpu(t):
    for key, name in METHODS:
        k = "cpu10k." + key
        t.ratio("us/probe at 10,000/s, " + name, k + ".ours", k + ".theirs",
                0.2, "at most 1/5", theirs=k + ".theirs", bare=k + ".bare", far=k + ".far")
    for key, name in METHODS:
        k = "cpu1k." + key
        t.ratio("us/probe at 1,000/s, " + name, k + ".ours", k + ".theirs",
                0.5, "at most 1/2", theirs=k + ".theirs", bare=k + ".bare",
                far=k + ".far")
    t.ratio("us/probe at 10,000/s, behind a TUN device", "tun.10000.ours",
            "tun.10000.theirs", None, "", theirs="tun.10000.theirs",
            bare="tun.10000.bare", far="tun.10000.far")
    t.ratio("us/probe at 100,000/s", "cpu100k.ours", "cpu100k.bare", 1.6,
            "at most 1.6", bare="cpu100k.bare", far="cpu100k.far")


def late(t, k):
    """How much of an unevenness the machine explains."""
    return "woken late: %.2f %%, %.1f ms" % (
        t.median(k + "late"), t.median(k + "latest"))


def full(t, k, over, excused):
    """How many windows were too full; the rounds' median.  And whether it was
    the machine: all of them while it woke nobody in time."""
    n, late = t.median(k + over), t.median(k + excused)
    return "%d above, %d late" % (n, late), max(
        a - b for a, b in zip(t.values[k + over], t.values[k + excused])) == 0


def smooth(t):
    for rate in (10000, 1000):
        k = "smooth.%d." % rate
        if k + "ours.ms" not in t.values:
            continue
        above, met = full(t, k + "ours.", "over", "overlate")
        theirs, _ = full(t, k + "theirs.", "over", "overlate")
        t.row("fullest ms at %d/s, shares" % rate, k + "ours.ms",
              "2, unless late", met, theirs=k + "theirs.ms",
              ratio=above + " (scamper: %s)" % theirs,
              note=late(t, k + "ours."))


def simulator(t):
    if "truth.ours.found" in t.values:
        t.row("% of the truth found at 10,000/s, all methods",
              "truth.ours.found", "all",
              min(t.values["truth.ours.found"]) == 100,
              theirs="truth.theirs.found", digits=3)
    if "sustained.ceiling" in t.values:
        t.row("packets/s that the simulator takes from a bare loop",
              "none", bare="sustained.ceiling", digits=0)
    lost = [v for k, vs in t.values.items() if k.startswith("lost.")
            for v in vs]
    if lost:
        t.values["lost"] = [sum(lost)]
        t.row("replies that the simulator lost", "lost", digits=0)


def engine(t):
    if "idle.percent" in t.values:
        t.row("% of a core, idle, 100,000 held", "idle.percent", "below 0.1",
              t.median("idle.percent") < 0.1, digits=3)
    if "sustained.ours" in t.values:
        ours, bare = t.median("sustained.ours"), t.median("sustained.bare")
        t.row("packets/s, 400,000 asked", "sustained.ours",
              "400,000, or 0.85 of bare", ours >= min(400000, 0.85 * bare),
              bare="sustained.bare", ratio="%.2f" % (ours / bare), digits=0,
              far="sustained.far")
        t.row("% of the truth found", "sustained.found", "at least 99.9",
              min(t.values["sustained.found"]) >= 99.9, digits=3)
        t.row("hops found that are none", "sustained.wrong", "0",
              max(t.values["sustained.wrong"]) == 0, digits=0)
        t.row("replies lost in the ring", "sustained.drops", "0",
              max(t.values["sustained.drops"]) == 0, digits=0)
    if "window.bytes" in t.values:
        t.row("bytes/trace, 1,000,000 silent", "window.bytes",
              "at most 500", t.median("window.bytes") <= 500, digits=0)
        t.ratio("us/probe, 1,000,000 silent (bare: 100,000)",
                "window.million", "window.tenth", 1.3, "at most 1.3",
                bare="window.tenth")
        t.ratio("user ns/probe, 1,000,000 (bare: 1,000)", "window.user1m",
                "window.user1k", None, "", bare="window.user1k", digits=0)

    if "mix.bytes" in t.values:
        tasks = int(t.median("mix.bytes.tasks"))
        t.row(f"bytes/trace, {tasks:,}, routers answer", "mix.bytes",
              "at most 500", t.median("mix.bytes") <= 500, digits=0)

def rtt(t):
    for pps in (1000, 10000, 50000):
        k = "rtt.%d." % pps
        for field, what in (("median", "median"), ("p99", "99 %"),
                            ("worst", "worst")):
            ours, theirs = k + "ours." + field, k + "theirs." + field
            most = {"median": 10, "p99": 100}.get(field)
            if ours in t.values:
                t.row("RTT error at %s/s, us, %s" % (f"{pps:,}", what), ours,
                      "below %d" % most if most else "",
                      t.median(ours) < most if most else None,
                      theirs=theirs, digits=1)


def rate(t):
    for r in RATES:
        k = "rate.%d." % r
        if k + "off" not in t.values:
            continue
        t.row("mean rate at %d/s, %% off" % r, k + "off", "below 0.1",
              t.median(k + "off") < 0.1, digits=3)
        above, met = full(t, k, "tensover", "tenslate")
        t.row("fullest 10 ms, shares", k + "tens", "1.2, unless late", met,
              ratio=above, note=late(t, k))


def rest(t):
    if "first.median" in t.values:
        t.row("ms to the first probe, median", "first.median", "below 2",
              t.median("first.median") < 2)
        t.row("the same, slowest", "first.max")
    if "records.ours" in t.values:
        t.row("traces/s to disk", "records.ours", "at least 100,000",
              t.median("records.ours") >= 100000, digits=0)
    seed = {int(k.split(".")[1]) for k in t.values if k.startswith("seed.")}
    for r in sorted(seed):
        k = "seed.%d." % r
        for name, what, digits in (("cpu", "% of a core", 2),
                                   ("rss", "resident kB", 0),
                                   ("median", "trace complete, s, median", 2),
                                   ("p90", "trace complete, s, 90 %", 2)):
            t.row("seed paper, %d/s: %s" % (r, what), k + "ours." + name,
                  theirs=k + "theirs." + name, digits=digits)
    for ours, theirs, goal in (("wartsview", "sc_warts2json", 2),
                               ("datasort", "sc_wartscat", None)):
        if "path." + ours in t.values:
            r = t.median("path." + ours) / t.median("path." + theirs)
            t.row("%s, traces/s (%s)" % (ours, theirs), "path." + ours,
                  "at least %d x" % goal if goal else "",
                  r >= goal if goal else None,
                  theirs="path." + theirs, digits=0, ratio="%.2f" % r)
    if "path.listmgr" in t.values:
        t.row("listmgr, million lines/s", "path.listmgr", "at least 2",
              t.median("path.listmgr") >= 2)


def main():
    t = Table(load(sys.argv[1]))
    for part in (cpu, simulator, smooth, engine, rtt, rate, rest):
        part(t)
    for key in sorted(k for k in t.values if k.startswith("kept.")):
        t.row("% of the time kept waiting, " + key[5:], key, digits=1)
    for key in sorted(k for k in t.values if k.startswith("stolen.")):
        t.row("% of the time stolen by the host, " + key[7:], key, digits=1)
    t.print()


main()
