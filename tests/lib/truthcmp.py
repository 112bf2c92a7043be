#!/usr/bin/env python3
"""Compare traceroutes with the truth of the embedded Internet, hop by hop.

	truthcmp.py [--rtt MS] FAKENET [fakenet's options] < traces.json

Reads JSON lines as scamper and wartsview print them; other types of lines are
skipped.  Each trace must show exactly what `fakenet -t' tells for its flow: the
same address at the same TTL and nothing more, MPLS labels, quoted TTL, the
stop reason with its code.  With --rtt each RTT must lie within MS milliseconds
above the true one.  Traces whose flow varies (methods udp, icmp-echo, tcp) may
show any of the alternatives.

Prints each difference, then one line with what was compared; exits 1 if there
was a difference or nothing to compare.
"""
import collections
import json
import subprocess
import sys

REASONS = {"completed": "COMPLETED", "unreach": "UNREACH", "gap": "GAPLIMIT"}
TICK_MS = 0.07  # a reply may wait for a tick of the wheel; times are in us


class Hop:
    """What one TTL may show: addr -> keys; None for silence."""

    def __init__(self):
        self.ways = {}


class Truth:
    def __init__(self):
        self.hops = collections.defaultdict(Hop)
        self.end = None
        self.ttl = 0
        self.code = None


def request(trace):
    """The line that asks for the truth of a trace."""
    method = trace["method"]
    if method == "icmp-echo-paris":
        flow = "icmp,%d" % trace["icmp_sum"]
    elif method in ("udp-paris", "tcp-ack", "tcp"):
        proto = "udp" if method == "udp-paris" else "tcp"
        flow = "%s,%d,%d" % (proto, trace["sport"], trace["dport"])
    else:
        return trace["dst"]
    return "%s %s %s" % (trace["dst"], trace["src"], flow)


def parse(lines):
    """Truths in the order of their requests: each ends with its end line."""
    truth = Truth()
    for line in lines:
        word = line.split()
        keys = dict(w.split("=", 1) for w in word[4:] if "=" in w)
        if word[1] == "hop":
            addr = None if word[3] == "*" else word[3]
            truth.hops[int(word[2])].ways[addr] = keys
        elif word[1] == "end":
            truth.end = word[2]
            truth.ttl = int(word[3])
            truth.code = int(keys["code"]) if "code" in keys else None
            yield truth
            truth = Truth()


def labels(hop):
    out = []
    for ext in hop.get("icmpext", []):
        for l in ext.get("mpls_labels", []):
            out.append("%d:%d:%d:%d" % (l["mpls_label"], l["mpls_exp"],
                                        l["mpls_s"], l["mpls_ttl"]))
    return ",".join(out)


def compare_reply(ttl, true, hop, slack_ms):
    """Differences of one reply."""
    if hop["addr"] not in true.ways:
        yield "hop %d is %s, not %s" % (ttl, hop["addr"],
                                        "|".join(map(str, true.ways)))
        return
    keys = true.ways[hop["addr"]]
    if labels(hop) != keys.get("mpls", ""):
        yield "hop %d labels %s, not %s" % (ttl, labels(hop),
                                            keys.get("mpls"))
    if hop.get("icmp_q_ttl", 1) != 1:
        yield "hop %d quotes TTL %d" % (ttl, hop["icmp_q_ttl"])
    rtt_ms = int(keys["rtt_us"]) / 1000
    if hop["rtt"] < rtt_ms - TICK_MS:
        yield "hop %d answered in %s ms, before %s" % (ttl, hop["rtt"],
                                                       rtt_ms)
    if slack_ms is not None and hop["rtt"] > rtt_ms + slack_ms:
        yield "hop %d answered in %s ms, not %s" % (ttl, hop["rtt"], rtt_ms)


def compare(trace, truth, slack_ms):
    """All differences of one trace."""
    seen = collections.defaultdict(list)
    for hop in trace.get("hops", []):
        seen[hop["probe_ttl"]].append(hop)
    for ttl in sorted(set(seen) | set(truth.hops)):
        if ttl not in truth.hops:
            yield "hop %d is beyond the end at %d" % (ttl, truth.ttl)
            continue
        if ttl not in seen and None not in truth.hops[ttl].ways:
            yield "hop %d is silent, not %s" % (
                ttl, "|".join(truth.hops[ttl].ways))
        for hop in seen[ttl]:
            yield from compare_reply(ttl, truth.hops[ttl], hop, slack_ms)
    if trace["stop_reason"] != REASONS[truth.end]:
        yield "stopped by %s, not %s" % (trace["stop_reason"],
                                         REASONS[truth.end])
    elif truth.end == "unreach" and trace["stop_data"] != truth.code:
        yield "unreachable code %d, not %d" % (trace["stop_data"], truth.code)


def main(argv):
    slack_ms = None
    if argv[:1] == ["--rtt"]:
        slack_ms = float(argv[1])
        argv = argv[2:]
    traces = []
    for line in sys.stdin:
        record = json.loads(line)
        if record.get("type") == "trace":
            traces.append(record)
    if not traces:
        print("no traces to compare")
        return 1
    run = subprocess.run(argv + ["-t", "-"], check=True, text=True,
                         stdout=subprocess.PIPE,
                         input="".join(request(t) + "\n" for t in traces))
    truths = list(parse(run.stdout.splitlines()))
    assert len(truths) == len(traces)
    count = collections.Counter()
    for trace, truth in zip(traces, truths):
        for what in compare(trace, truth, slack_ms):
            print("%s %s: %s" % (trace["dst"], trace["method"], what))
            count["differences"] += 1
        count["hops"] += len(trace.get("hops", []))
        count["silent"] += sum(None in h.ways for h in truth.hops.values())
        count["labels"] += sum("icmpext" in h for h in trace.get("hops", []))
        count[truth.end] += 1
    print("%d traces" % len(traces),
          *("%s=%d" % item for item in sorted(count.items())))
    return 1 if count["differences"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
