#!/usr/bin/env python3
"""Time from a command to the first probe, of a prober that was idle.

usage: firstprobe.py DEVICE SOCKET COUNT

To be run at the other end of the wire, DEVICE.  Writes one `ip' command at a
time to the prober's SOCKET, half a second apart, and reads the kernel's time
stamp of the probe's arrival.  Prints "median_ms M max_ms M".
"""
import socket
import statistics
import struct
import sys
import time

SO_TIMESTAMPNS = 35
ETH_P_IP = 0x0800
GAP_S = 0.5


def arrival_ns(wire, dst):
    """When the first packet to DST came."""
    while True:
        packet, ancillary, _, _ = wire.recvmsg(2048, 256)
        if packet[16:20] == socket.inet_aton(dst):
            s, ns = struct.unpack("qq", ancillary[0][2])
            return s * 1000000000 + ns


def main():
    device, path, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                         socket.htons(ETH_P_IP))
    wire.bind((device, ETH_P_IP))
    wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    wire.settimeout(10)
    prober = socket.socket(socket.AF_UNIX)
    prober.connect(path)
    prober.sendall(b"begin 1 1700000000 probe trace -w 1 -q 1 -m 1\n")
    took = []
    for i in range(count):
        time.sleep(GAP_S)
        dst = "203.0.113.%d" % (i + 1)
        line = ("ip %s 1 1700000000\n" % dst).encode()
        start = time.time_ns()
        prober.sendall(line)
        took.append((arrival_ns(wire, dst) - start) / 1e6)
    print("median_ms %.3f max_ms %.3f" % (statistics.median(took), max(took)))


main()
