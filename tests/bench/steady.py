#!/usr/bin/env python3
"""What a prober takes while it is in full swing.

usage: steady.py [-w WARM] [-t TIME] [-k] [-f PID] DEVICE COMMAND...

Runs COMMAND (inside the network namespace of DEVICE: it is there that this
program must be started), waits WARM seconds, measures for TIME, and ends it
(-k: waits until it ends by itself).  Prints one line:

    us 3.21 pps 10000.4 cpu 3.2 rss 12345 far 21.0 kept 1.5

processor microseconds (user and system, all threads and all processes that
descend from COMMAND) per packet that DEVICE sent; packets per second; percent
of a core; resident kB of all of them, at their largest at the end; percent of a
core that process PID took meanwhile (the embedded Internet); percent of the
time that either of them was kept waiting for a processor by other programs.
"""
import argparse
import os
import signal
import subprocess
import sys
import time


def children():
    """{parent: [pid ...]}"""
    tree = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                parent = int(f.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        tree.setdefault(parent, []).append(int(pid))
    return tree


def family(root):
    tree, found = children(), []
    todo = [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += tree.get(pid, [])
    return found


def cpu_ns(pids):
    """Time on a processor, exact where utime and stime count ticks; and time
    in the queue for one."""
    total = queued = 0
    for pid in pids:
        for tid in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/schedstat" % (pid, tid)) as f:
                ran, waited, _ = f.read().split()
                total += int(ran)
                queued += int(waited)
    return total, queued


def rss_kb(pids):
    total = 0
    for pid in pids:
        with open("/proc/%d/status" % pid) as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith("VmHWM:"))
    return total


class Sample:
    def __init__(self, pids, far, device):
        self.ns = time.monotonic_ns()
        with open("/sys/class/net/%s/statistics/tx_packets" % device) as f:
            self.packets = int(f.read())
        self.cpu, queued = cpu_ns(pids)
        self.far, far_queued = cpu_ns([far] if far else [])
        self.queued = queued + far_queued


def report(a, b, rss):
    ns, packets = b.ns - a.ns, b.packets - a.packets
    if packets == 0:
        sys.exit("steady.py: no packet was sent")
    print("us %.3f pps %.1f cpu %.3f rss %d far %.1f kept %.1f" % (
        (b.cpu - a.cpu) / 1000 / packets, packets * 1e9 / ns,
        100 * (b.cpu - a.cpu) / ns, rss, 100 * (b.far - a.far) / ns,
        100 * (b.queued - a.queued) / ns))


def end(child):
    child.send_signal(signal.SIGTERM)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("-w", dest="warm", type=float, default=2)
    p.add_argument("-t", dest="time", type=float, default=4)
    p.add_argument("-k", dest="keep", action="store_true")
    p.add_argument("-f", dest="far", type=int)
    p.add_argument("device")
    p.add_argument("command", nargs=argparse.REMAINDER)
    args = p.parse_args()
    with open("steady.log", "w") as log:
        child = subprocess.Popen(args.command, stdout=log, stderr=log)
    try:
        time.sleep(args.warm)
        pids = family(child.pid)
        first = Sample(pids, args.far, args.device)
        time.sleep(args.time)
        last = Sample(pids, args.far, args.device)
        rss = rss_kb(pids)
        if args.keep:
            child.wait()
    except OSError as e:
        sys.exit("steady.py: %s ended too soon (%s), see steady.log" % (
            args.command[0], e))
    finally:
        if child.poll() is None:
            end(child)
    report(first, last, rss)


main()
