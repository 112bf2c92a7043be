#!/usr/bin/env python3
"""How wrong recorded round-trip times are, against what was on the wire.

usage: rtt.py CAPTURE < traces.json
       rtt.py -e

The capture, in nanoseconds, is of both directions at one place, the other end
of the prober's wire: of each probe as it came out, of its reply as it went in,
by one clock.  What a reply quotes says which probe it is for.  For every hop of
the traces whose probe is in the capture, the error is the recorded round-trip time
less that of the wire.  Prints, in microseconds,

    n 24000 median 1.2 p99 8.0 worst 210.4 least -0.9 tx 1.1 rx 0.3

the first three by size, whatever the sign; the one furthest below zero; and the
medians of what the time of sending is early, and that of the reply late.

With -e: until it is ended, the kernel takes time stamps as early as it can, not
where a packet has come to a capture.  Any socket that asks for stamps does that
to the whole machine; both programs have such sockets, but for them it would
begin in the middle.
"""
import json
import os
import signal
import socket
import statistics
import sys

sys.path.append(os.path.join(os.path.dirname(__file__), "..", "lib"))
import pcap  # noqa: E402

SO_TIMESTAMPNS = 35


def early():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    print("ready", flush=True)
    signal.pause()


def name(p):
    """What tells a probe from others, in a quote of it too."""
    return (p.dst, p.ipid, p.kind, p.sport, p.dport, p.id, p.seq, p.csum)


def wire(path):
    """{(dst, ttl): [(left, came) ...]}"""
    left, times = {}, {}
    for p in pcap.packets(path):
        if p.kind in ("udp", "echo"):
            left[name(p)] = p
        elif p.kind == "error" and p.quote is not None:
            probe = left.pop(name(p.quote), None)
            if probe is not None:
                times.setdefault((probe.dst, probe.ttl), []).append(
                    (probe.ts, p.ts))
    return times


def errors(times):
    """(error, time of sending early, of the reply late) of each hop"""
    for line in sys.stdin:
        trace = json.loads(line)
        for h in trace.get("hops", ()):
            seen = times.get((trace["dst"], h["probe_ttl"]))
            if not seen:
                continue
            tx = h["tx"]["sec"] + h["tx"]["usec"] / 1e6
            out, back = min(seen, key=lambda s: abs(s[0] - tx))
            yield tuple(1e6 * s for s in (
                h["rtt"] / 1e3 - (back - out), out - tx,
                tx + h["rtt"] / 1e3 - back))


def main():
    if sys.argv[1:] == ["-e"]:
        early()
    found = list(errors(wire(sys.argv[1])))
    if not found:
        sys.exit("rtt.py: nothing to compare")
    error, tx, rx = zip(*found)
    size = sorted(map(abs, error))
    print("n %d median %.1f p99 %.1f worst %.1f least %.1f tx %.1f rx %.1f" % (
        len(size), statistics.median(size), size[len(size) * 99 // 100],
        size[-1], min(error), statistics.median(tx), statistics.median(rx)))


main()
