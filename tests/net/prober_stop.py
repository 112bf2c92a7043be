#!/usr/bin/env python3
"""Helper of prober-stop.test.

    prober_stop.py commands N            begin and N commands; every tenth
                                         address is there twice
    prober_stop.py records FILE...       the targets in warts files, by
                                         $BIN/wartsview, one a line
"""
import json
import os
import subprocess
import sys

CYCLE = 1700000000


def commands(n):
    print("begin 1 %d name=stop probe trace -w 1 -q 1 -g 2" % CYCLE)
    for i in range(int(n)):
        a = "11.%d.%d.%d" % (i >> 16 & 255, i >> 8 & 255, i & 255)
        print("ip %s 1 %d" % (a, CYCLE))
        if i % 10 == 0:
            print("ip %s 1 %d" % (a, CYCLE))


def records(*files):
    out = subprocess.run(
        [os.environ["BIN"] + "/wartsview", "-t", "json", *files],
        capture_output=True, text=True).stdout
    for line in out.splitlines():
        t = json.loads(line)
        if t["type"] == "trace":
            print(t["dst"])


{"commands": commands, "records": records}[sys.argv[1]](*sys.argv[2:])
