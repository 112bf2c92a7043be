"""style: what the style tests share: the project's files, C text without its
comments, and a runner.

A test names a check, a function from (path, text) to a list of (line number,
complaint), and snippets planted to be refused.  The runner first requires a
complaint with the given word about every planted snippet (and none about one
planted as good), then applies the check to the project.  So a check that
stopped seeing anything fails too.
"""
import os
import re
import sys

SRC = os.environ.get("SRC") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files():
    """All paths of the project, relative to SRC."""
    for top, dirs, names in os.walk(SRC):
        dirs[:] = sorted(d for d in dirs if d not in (".git", "__pycache__")
                         and not re.match(r"build(-|$)", d))
        for name in sorted(names):
            if not name.startswith(".git"):
                yield os.path.relpath(os.path.join(top, name), SRC)


def read(path):
    with open(os.path.join(SRC, path), encoding="latin-1") as f:
        return f.read()


def is_c(path):
    return path.endswith((".c", ".h"))


# A comment, a string or a character constant, whichever begins first.
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
                   r"|'(?:\\.|[^'\\\n])*'", re.S)


def blank(text, strings=True):
    """TEXT with comments (and strings) blanked out, lines kept."""
    def cover(m):
        s = m.group()
        if s[0] == "/" or strings:
            return re.sub(r"[^\n]", " ", s)
        return s
    return TOKEN.sub(cover, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def closing(text, start):
    """Offset of the bracket that closes the one at START, or -1."""
    depth = 0
    for i in range(start, len(text)):
        depth += text[i] in "({["
        depth -= text[i] in ")}]"
        if depth == 0:
            return i
    return -1


def run(check, planted, wanted=is_c):
    """PLANTED: (path, text, word in the complaint; None: must be good)."""
    bad = 0
    for path, text, word in planted:
        said = [c for _, c in check(path, text)]
        if (said if word is None else not any(word in c for c in said)):
            print("self-test: planted %s: wanted %s, got %s:\n%s" %
                  (path, word or "nothing", said, text))
            bad += 1
    for path in filter(wanted, files()):
        for line, complaint in check(path, read(path)):
            print("%s:%d: %s" % (path, line, complaint))
            bad += 1
    sys.exit(bad != 0)
