#!/usr/bin/env python3
"""Helper of prober-options.test: every line of the table is given to Debian's
scamper and to the Prober (the argument), each in a folder of its own; both must
end with the same exit status, and who refuses says why."""
import concurrent.futures
import shlex
import subprocess
import sys
import tempfile

LINES = r"""
-p
-p 0 -i 127.0.0.1
-p -1 -i 127.0.0.1
-p x -i 127.0.0.1
-p "" -i 127.0.0.1
-p 99999999999 -i 127.0.0.1
-w -1 -i 127.0.0.1
-w 99999999999 -i 127.0.0.1
-L 0 -i 127.0.0.1
-L -5 -i 127.0.0.1
-L x -i 127.0.0.1
-L 4294967296 -i 127.0.0.1
-C 0 -i 127.0.0.1
-C x -i 127.0.0.1
-C 4294967296 -i 127.0.0.1
-O
-O "" -i 127.0.0.1
-O foo -i 127.0.0.1
-O warts.lzma -i 127.0.0.1
-P
-P 0
-P 65536
-P x
-P -1
-P 127.0.0.1:x
-P 127.0.0.1:0
-P 127.0.0.1:70000
-P 300.0.0.1:31337
-U
-U /no/such/folder/socket
-R
-R 127.0.0.1
-R 127.0.0.1:x
-R 127.0.0.1:0
-R 127.0.0.1:70000
-i
-I
-f
-f good good
-f /no/such/file
-i -I 127.0.0.1
-i -f good
-I -f good
-P 31337 -i 127.0.0.1
-P 31337 127.0.0.1
-U ./socket -f good
-R 127.0.0.1:31337 -I "ping 127.0.0.1"
-I "foo 127.0.0.1"
-I "ping"
-I "ping -c 0 127.0.0.1"
-I "ping -c x 127.0.0.1"
-I "ping -Z 127.0.0.1"
-I "ping 127.0.0.1 127.0.0.2"
-I "trace -P foo 127.0.0.1"
-I "trace -q 21 127.0.0.1"
-I "trace -c 96 127.0.0.1"
-I "trace -c 95 -Q 127.0.0.1"
-I "trace -G 0 127.0.0.1"
-I "trace -G 3 127.0.0.1"
-I "trace -l 256 127.0.0.1"
-I "trace -N 0 127.0.0.1"
-I "trace -N 6 127.0.0.1"
-I "trace -M -f 2 127.0.0.1"
-I "trace -f 5 -m 4 127.0.0.1"
-I "trace -o 8191 ::1"
-I "trace -O foo 127.0.0.1"
-I "trace -p x 127.0.0.1"
-I "trace -r x 127.0.0.1"
-I "trace -S x 127.0.0.1"
-I "trace -z x 127.0.0.1"
-I "trace -W 201 127.0.0.1"
-I "ping -O foo 127.0.0.1"
-I "ping -s 1 127.0.0.1"
-I "ping -s 27 127.0.0.1"
-I "ping -s 47 ::1"
-I "ping -s 60 -R 127.0.0.1"
-I "ping -s 39 -P tcp-syn 127.0.0.1"
-I "ping -s 39 -P icmp-time 127.0.0.1"
-I "ping -s 32 -B 0102030405 127.0.0.1"
-I "ping -s 28 -C 5 127.0.0.1"
-I "ping -O tbt ::1"
-I "ping -O tbt -M 1280 -s 1280 ::1"
-I "ping -O tbt -M 1280 -s 1300 127.0.0.1"
-I "ping -O spoof -S 127.0.0.2 -s 28 127.0.0.1"
-I "ping -M 65536 127.0.0.1"
-I "ping -r x 127.0.0.1"
-I "ping -S x 127.0.0.1"
-I "ping -c 1 127.0.0.1" "foo"
-c foo -i 127.0.0.1
-c "ping -c" -i 127.0.0.1
-c "trace -q 0" -i 127.0.0.1
-c "ping 127.0.0.1" -i 127.0.0.1
-i foo
-i 300.1.2.3
-i 127.0.0.1 foo
-j
-?
-F foo -i 127.0.0.1
-F ipfw:1-5 -i 127.0.0.1
-n foo -i 127.0.0.1
-e
-o
-o /no/such/folder/out -i 127.0.0.1
-D -i 127.0.0.1
-D
-l
-M
-d debug -i 127.0.0.1
-c "ping -c 1" -p 1000 -i 127.0.0.1
-c "ping -c 1" -p 1000 good
-I "ping -c 1 127.0.0.1" -o- -O json
-O text -O json -c "ping -c 1" -i 127.0.0.1
-O planetlab -c "ping -c 1" -i 127.0.0.1
-O PlanetLab -O TEXT -c "ping -c 1" -i 127.0.0.1
-O rawtcp -c "ping -c 1" -i 127.0.0.1
-O ICMP-rxerr -c "ping -c 1" -i 127.0.0.1
-O rxerr-icmp -c "ping -c 1" -i 127.0.0.1
-O select -c "ping -c 1" -i 127.0.0.1
-O epoll -c "ping -c 1" -i 127.0.0.1
-O noinitndc -O outcopy -O debugfileappend -c "ping -c 1" -i 127.0.0.1
-O notls -O notls-remote -c "ping -c 1" -i 127.0.0.1
-O tsps -c "ping -c 1" -i 127.0.0.1
-O cmdfile -c "ping -c 1" -i 127.0.0.1
-O tsps -f good
-O tsps foo
-n 127.0.0.1 -c "ping -c 1" -i 127.0.0.1
-e pid -c "ping -c 1" -i 127.0.0.1
-O warts -o out.x -c "ping -c 1" -i 127.0.0.1 -w 1 -l name -L 5 -C 6 -M me
"""


def run(program, words):
    """Exit status and standard error."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/good", "w") as f:
            f.write("127.0.0.1\n")
        try:
            p = subprocess.run([program, *words], cwd=folder, timeout=60,
                               stdin=subprocess.DEVNULL, text=True,
                               capture_output=True)
        except subprocess.TimeoutExpired:
            return "none", ""
        return p.returncode, p.stderr


def check(line):
    words = shlex.split(line)
    want, _ = run("scamper", words)
    rc, said = run(sys.argv[1], words)
    if rc != want:
        return "%s: exit status %s, scamper's %s\n%s" % (line, rc, want, said)
    if rc != 0 and not said.startswith("prober: "):
        return "%s: no reason, but\n%s" % (line, said)
    return None


lines = LINES.strip().splitlines()
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    bad = [b for b in pool.map(check, lines) if b]
for b in bad:
    print("FAILED:", b)
sys.exit(len(bad) > 0 or len(lines) < 60)
