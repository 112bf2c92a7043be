#!/usr/bin/env python3
"""The commands of a conformance suite: conformance_rows.py NET KIND ROWS ...

For each KIND, a command with the options of rows that have none of their own
("ping -c 3"), and its ROWS, a file as tests/net/trace.rows says, it makes the file KIND's first
word + "s" of lines

    COMMAND OPTION... TARGET

and `targets', lines of HOST FAMILY TARGET.  NET is a file that describes a
network; rows for hosts that are not in it are left out:

    host HOST ADDRESS4 ADDRESS6	where targets of that kind are: behind these
    word WORD ADDRESS4 ADDRESS6	what <WORD> stands for

Each command has a target of its own, so that none waits for another.
"""
import ipaddress
import re
import sys

METHODS = ["udp-paris", "udp", "icmp-paris", "icmp", "tcp", "tcp-ack"]


def expand(row):
    m = re.search(r"\{([^}]*)\}", row)
    if m is None:
        return [row]
    return [r for word in m.group(1).split(",")
            for r in expand(row[:m.start()] + word + row[m.end():])]


def rows(path):
    """(host, family, options) of each."""
    for line in open(path):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        line = line.replace("-P *", "-P {%s}" % ",".join(METHODS))
        for row in expand(line):
            host, families, *options = row.split()
            for family in families:
                yield host, int(family), options


class Net:
    def __init__(self, path):
        self.host, self.word, self.used = {}, {}, {}
        for line in open(path):
            what, name, *values = line.split()
            {"host": self.host, "word": self.word}[what][name] = values

    def target(self, host, family):
        base = self.host[host][family == 6]
        self.used[base] = self.used.get(base, 0) + 1
        return str(ipaddress.ip_address(base) + self.used[base])

    def fill(self, options, family, n):
        return re.sub(r"<(\w+)>", lambda m: str(n) if m.group(1) == "n" else
                      self.word[m.group(1)][family == 6], " ".join(options))


def command(kind, options):
    """KIND without the options that are in OPTIONS."""
    word, *usual = kind.split()
    for option, value in zip(usual[::2], usual[1::2]):
        if option not in options:
            word += " %s %s" % (option, value)
    return word


def commands(net, kind, path, out, targets):
    """Rows of PATH, to the open files OUT and TARGETS."""
    for n, (host, family, options) in enumerate(rows(path), 1):
        if host not in net.host:
            continue
        target = net.target(host, family)
        user = [] if "-U" in options else ["-U", str(n)]
        print(command(kind, options), net.fill(user + options, family, n),
              target, file=out)
        print(host, family, target, file=targets)


def main(net, *files):
    net = Net(net)
    with open("targets", "w") as targets:
        for kind, path in zip(files[::2], files[1::2]):
            with open(kind.split()[0] + "s", "w") as out:
                commands(net, kind, path, out, targets)


main(*sys.argv[1:])
