"""ways: what can happen besides a strike at a call: a small disk, a connection
that is cut, a bit that turns."""
import glob
import os
import select
import socket
import time

from world import Wrong

PATIENCE_S = 0.04  # a writer that waits for room has begun to


# --- a small disk ---

def full(w, row, pages):
    """PAGES are left where ROW writes; it does what it can; then there is
    room, and who waited goes on."""
    w.make_small('%s/%s' % (w.tree, row.files), pages)
    if hasattr(row, 'mend_slowly'):
        row.mend_slowly(w)
    else:
        row.strike(w, [])
        w.resize(64 << 20)
        row.mend(w, False)
    row.close(w)
    return '%d pages' % pages


def wait_for_room(w, argv):
    """Run ARGV until it ends or waits; give it room, and it ends."""
    pid = w.start(argv)
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit and os.waitid(
            os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(0.001)
    w.resize(64 << 20)
    return w.wait(pid)


# --- a disk that fails for a while ---

def last(w, row, prefix):
    """Calls fail for a while; then they go well, and so does all else."""
    code = row.last(w, prefix)
    if code == 100:
        raise Wrong('it ends for good (100) for what passes')
    w.end()
    row.mend(w, False)
    row.close(w)


# --- a cut ---

def proxy(listener, target, what, way, offset):
    """Serve one connection that ends behind OFFSET bytes that go WAY, or of
    which a bit is turned there; how many went each way."""
    client = listener.accept()[0]
    back = socket.socket(socket.AF_UNIX)
    back.connect(target)
    total = {'up': 0, 'down': 0}
    peers = {client: ('up', back), back: ('down', client)}
    cut = what == 'cut' and offset == 0
    while not cut:
        for s in select.select([client, back], [], [])[0]:
            name, other = peers[s]
            try:
                data = s.recv(65536)
            except OSError:
                data = b''
            if not data:
                cut = True
                break
            at = offset - total[name]
            if name == way and what == 'cut' and 0 <= at <= len(data):
                data, cut = data[:at], True
            elif name == way and what == 'turn' and 0 <= at < len(data):
                data = data[:at] + bytes([data[at] ^ 4]) + data[at + 1:]
            total[name] += len(data)
            try:
                other.sendall(data)
            except OSError:
                cut = True
    client.close()
    back.close()
    return total


def cut(w, row, how, tls=False):
    """A session that is cut after HOW = what, way, bytes (-1: not at all)."""
    if tls != bool(w.tls):
        w.make_keys() if tls else w.plain()
    w.serve()
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(w.sock + '.p'):
        os.unlink(w.sock + '.p')
    listener.bind(w.sock + '.p')
    listener.listen(1)
    client = w.start(w.fetch_args('proxied'))
    total = proxy(listener, w.sock, *how)
    listener.close()
    rc = w.wait(client)
    if rc != 0 and how[2] < 0:
        raise Wrong('a session that was not cut fails')
    row.close(w)
    return total


def none_cut(w, row, tls):
    return cut(w, row, ('cut', 'up', -1), tls)


def cut_tls(w, row, how):
    return cut(w, row, how, True)


# --- a bit ---

# State and its files, by the row that leaves them.
FLIPPED = {
    'server': ['mon/spool/2.warts', 'mon/state/epoch', 'mon/state/next',
               'mon/state/numbers'],
    'recovery': ['mon/spool/*.open', 'mon/state/next', 'mon/state/numbers'],
    'kept': ['cen/incoming/mon/*/2.warts'],
    'went': ['mon/state/checkpoint', 'mon/spool/*.open'],
    'noted': ['cen/incoming/mon/*/2.refused', 'mon/bad/2.warts'],
    'part': ['cen/incoming/mon/*/*.part'],
    'journal': ['cen/state/mon/*/journal'],
    'late': ['cen/state/mon/*/filed', 'cen/state/mon/*/ledger',
             'cen/state/mon/*/account', 'cen/state/mon/feed',
             'cen/state/mon/published', 'cen/feed/created.log',
             'cen/archive/2/mon/*/*/*/*_00.warts.gz'],
}
SYSTEM = [name for name in FLIPPED if name != 'went']  # without an Internet


def state_files(w, name):
    """(pattern, size) of each, which is there"""
    return [(pattern, os.path.getsize(glob.glob(w.tree + '/' + pattern)[0]))
            for pattern in FLIPPED[name]]


def turn(path, at, bit, only=None):
    """Turn BIT of the byte AT of the file; its old value."""
    with open(path, 'r+b') as f:
        f.seek(at)
        old = f.read(1)
        if not old or only not in (None, old[0]):
            return None
        f.seek(at)
        f.write(bytes([old[0] ^ bit]))
    return old[0]


def mended(w, row):
    """What is still wrong when everything has been tried; None: nothing"""
    try:
        row.mend(w, False)
        w.finish(more=3)
        return '; '.join(row.oracle(w).check()[:6]) or None
    except Wrong as e:
        return str(e) + '; ' + '; '.join(row.oracle(w).check()[:6])


def flip(w, row, how):
    """A bit of a file of the state: it heals; or the file is named, nothing
    wrong is filed, and with the bit as it was all is well.  (Of an open segment
    what no mark proves is cut off.)"""
    pattern, at, bit = how
    path = glob.glob(w.tree + '/' + pattern)[0]
    old = turn(path, at, bit)
    why = mended(w, row)
    if why is None:
        return 'healed'
    for lie in ('not asked for', ' times', ' at 1'):
        if lie in why:
            raise Wrong('believed: ' + why)
    with open(w.log) as f:
        said = f.read()
    name = os.path.basename(path)
    # Nothing but its readers reads a log from the start.
    if name not in said and not (
            '/feed/' in path and name + ': check word' in why):
        raise Wrong('%s is not named: %s' % (name, why))
    if name.endswith('.open'):
        return 'cut off'  # what no mark proves; it was said
    number = name.split('.')[0]
    kept = '%s/bad/%s' % (w.spool, name)
    if os.path.exists(kept):
        o = row.oracle(w)
        o.refused, o.account = {int(number)}, False
        why = '; '.join(o.check()[:6])
        if why:
            raise Wrong('beside the refused one: ' + why)
        return 'kept in bad/'
    if os.path.exists(path):
        turn(path, at, bit, old ^ bit)
    why = mended(w, row)
    if why is not None:
        raise Wrong('lasts: ' + why)
    return 'named'
