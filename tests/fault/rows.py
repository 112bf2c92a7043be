"""rows: the table of what the campaign strikes at: a program in a state.

A row makes its state once (prepare), and lets its program run under killat
(strike); what is around the program runs as it always does.  After that all is
done once more, without (mend), and the oracle judges.  Another program is
another row.
"""
import glob
import os
import shutil
import socket
import time

import ways
from world import BIN, HELPER, Wrong, books


class Row:
    files = 'mon'  # below the world's tree: what it writes
    traces, rotate = 12, 4
    keep = '0'  # bytes of sent/: what is gone must be there
    pages = 12  # so many more and all fits
    slow_ms = 0  # each fdatasync takes so much more time

    def prepare(self, w):
        """The state before, in an empty world."""

    def strike(self, w, how):
        """Run it with HOW before its arguments.  Its exit status, or None."""
        raise NotImplementedError

    def last(self, w, how):
        """The same for HOW that lasts for a while: who goes on by himself is
        let to, until all is well."""
        return self.strike(w, how)

    def mend(self, w, cut):
        """What a supervisor would start again.  CUT: the power failed."""

    def oracle(self, w):
        return w.oracle()

    def close(self, w):
        w.finish()
        problems = self.oracle(w).check()
        if problems:
            raise Wrong('; '.join(problems[:6]))


class Writer(Row):
    """segments are begun, filled and sealed"""
    pages = 84  # with the reserve

    def strike(self, w, how):
        return w.run([*how, *w.write_args()])

    def mend(self, w, cut):
        # What it left is taken away, so that a number used twice is noticed.
        w.serve()
        if w.fetch('nosort') != 0:
            raise Wrong('the pass behind the writer fails')
        more = ['-f', str(w.missing())] if cut else []
        if w.run(w.write_args(*more)) != 0:
            raise Wrong('the next writer fails')


    def mend_slowly(self, w):
        """The disk is full, then there is room: who waited goes on, who could
        not begin is started again."""
        if ways.wait_for_room(w, w.write_args()) != 0:
            self.mend(w, False)


class Recovery(Writer):
    """... behind one that was killed in the middle of a segment"""

    def prepare(self, w):
        w.run([HELPER + '/killat', '-d', w.spool, '-c', 'fdatasync', '-n', '2',
               *w.write_args()])
        if not any(n.endswith('.open') for n in os.listdir(w.spool + '/spool')):
            raise Wrong('nothing to recover')


class Server(Row):
    """the data server hands over what is sealed"""

    def prepare(self, w):
        w.write()

    def strike(self, w, how):
        w.serve(how)
        w.fetch('nosort')
        return w.stop(w.server)

    def last(self, w, how):
        w.serve(how)
        return w.ask_again(w.server)


class Orphan(Recovery):
    """the data server seals what a dead writer left"""

    def strike(self, w, how):
        return Server.strike(self, w, how)

    def last(self, w, how):
        return Server.last(self, w, how)


class Client(Row):
    """the data client fetches it"""
    files = 'cen'
    pages = 16

    def prepare(self, w):
        w.write()

    def strike(self, w, how):
        w.serve()
        return w.run([*how, *w.fetch_args('nosort')])

    def last(self, w, how):
        w.serve()
        return w.keep_fetching(how)


class Refusal(Client):
    """... and refuses one that is damaged, until the monitor keeps it"""
    files = ''

    def prepare(self, w):
        w.write()
        with open(w.spool + '/spool/2.warts', 'r+b') as f:
            f.seek(300)
            f.write(b'\0\0\0\0')

    def strike(self, w, how):
        w.serve()
        w.fetch('nosort')
        return w.run([*how, *w.fetch_args('nosort')])

    def oracle(self, w):
        o = w.oracle()
        o.refused, o.account = {2}, False
        return o

    def close(self, w):
        w.finish(more=3)
        o = self.oracle(w)
        problems = o.check()
        if len(o.seen) != w.traces - w.rotate:
            problems.append('%d records' % len(o.seen))
        if problems:
            raise Wrong('; '.join(problems[:6]))


class Keeper(Refusal):
    """... and the data server, which keeps it"""

    def strike(self, w, how):
        w.serve(how)
        for _ in range(3):
            w.fetch('nosort')
        return w.stop(w.server)

    def last(self, w, how):
        return Server.last(self, w, how)


class Noted(Refusal):
    """the sorter has yet to read that one was refused"""

    def prepare(self, w):
        super().prepare(w)
        w.serve()
        for _ in range(4):
            w.fetch('nosort')
        if not glob.glob(w.centre + '/incoming/mon/*/2.refused'):
            raise Wrong('no note')


class Sort(Row):
    """the data sorter files it"""
    files = 'cen'
    pages = 40

    def prepare(self, w):
        w.write()
        w.serve()
        if w.fetch('nosort') != 0:
            raise Wrong('cannot fetch')

    def strike(self, w, how):
        return w.run([*how, *w.sort_args()])


class Late(Sort):
    """... behind files that are closed and compressed"""

    def prepare(self, w):
        super().prepare(w)
        incoming = w.centre + '/incoming/mon/'
        incoming += os.listdir(incoming)[0]
        os.mkdir(w.tree + '/late')
        w.settings('sort.conf', 'grace 1s', 'compress gzip')
        for name in sorted(os.listdir(incoming))[2:]:
            shutil.move(incoming + '/' + name, w.tree + '/late')
        if w.sort() != 0:
            raise Wrong('cannot sort')
        for name in os.listdir(w.tree + '/late'):
            shutil.move(w.tree + '/late/' + name, incoming)

    def strike(self, w, how):
        w.settings('sort.conf', 'grace 1s', 'compress gzip')
        return super().strike(w, how)


class Prober(Row):
    """the Prober goes on with a cycle: each address is probed once, though all
    are sent again; records, log and snapshots of its checkpoint"""
    pages = 90
    slow_ms = 5  # what is done beside it is done before its end
    # One address twice: it is held, and probed twice.
    asked = {1: ['11.0.0.%d' % (1 + i % 5) for i in range(6)],
             2: ['11.0.0.2', '2400:1::1', '11.1.0.9', '11.9.0.1']}
    refused = '11.9.0.1'

    def prepare(self, w):
        w.internet()
        self.hand_over(w, {1: 1, 2: 1})
        with open(w.dir + '/dnp', 'w') as f:
            f.write('11.9.0.0/16\n')

    def hand_over(self, w, begin):
        """The commands, of each list from number BEGIN on."""
        with open(w.dir + '/commands', 'w') as f:
            for lst in begin:
                f.write('begin %d %d from=%d probe trace -P icmp-paris -w 1 '
                        '-q 1 -g 2\n' % (lst, books.CYCLE, begin[lst]))
            for lst in begin:
                for a in self.asked[lst][begin[lst] - 1:]:
                    f.write('ip %s %d %d\n' % (a, lst, books.CYCLE))
                f.write('end %d %d\n' % (lst, books.CYCLE))

    def args(self, w, source='-'):
        return [BIN + '/prober', '--spool', w.spool, '--commands', source, '-p',
                '5000', '-H', '1ms', '-M', 'mon', '-O', 'dnp=%s/dnp' % w.dir]

    def strike(self, w, how):
        return w.run([*how, *self.args(w)], w.dir + '/commands')

    def mend(self, w, cut):
        if w.run(self.args(w), w.dir + '/commands') != 0:
            raise Wrong('the next prober fails')

    def oracle(self, w):
        o = w.oracle(books.addresses({
            (lst, books.CYCLE): [a for a in asked if a != self.refused]
            for lst, asked in self.asked.items()}))
        o.not_probed = {2: 1}
        return o


class Acks(Prober):
    """... and what was acknowledged is not sent again (a second each: acks are
    that slow)"""
    slow_ms = 60  # an ack too early would be out before the sync is struck

    def strike(self, w, how):
        path = w.dir + '/p'
        if os.path.exists(path):
            os.unlink(path)
        self.acked, ended = dict.fromkeys(self.asked, 0), set()
        prober = w.start([*how, *self.args(w, path)])
        with socket.socket(socket.AF_UNIX) as s:
            while w.is_alive(prober) and s.connect_ex(path) != 0:
                time.sleep(0.001)
            try:
                with open(w.dir + '/commands', 'rb') as f:
                    s.sendall(f.read())
                for line in s.makefile():
                    if line.startswith('room '):
                        continue
                    _, lst, _, n, *end = line.split()
                    self.acked[int(lst)] = int(n)
                    ended |= {lst} if end else set()
                    if len(ended) == len(self.asked):
                        break
            except OSError:
                pass  # it was killed
        return w.stop(prober)

    def mend(self, w, cut):
        self.hand_over(w, {lst: n + 1 for lst, n in self.acked.items()})
        super().mend(w, cut)
        self.hand_over(w, dict.fromkeys(self.asked, 1))


class Went(Prober):
    """it was killed when some was recorded"""

    def prepare(self, w):
        super().prepare(w)
        w.run([HELPER + '/killat', '-d', w.spool, '-c', 'pwritev', '-n', '3',
               *self.args(w)], w.dir + '/commands')
        if not glob.glob(w.spool + '/state/checkpoint'):
            raise Wrong('no checkpoint')


class Short(Server):
    """a session of few bytes"""
    traces, rotate = 2, 2


class Kept(Sort):
    """the monitor still has it"""
    keep = '1000000'


class Journal(Sort):
    """a sorter was killed while it appended"""

    def prepare(self, w):
        super().prepare(w)
        w.run([HELPER + '/killat', '-d', w.centre, '-c', 'pwrite64', '-n',
               '12', *w.sort_args()])
        if not glob.glob(w.centre + '/state/*/*/journal'):
            raise Wrong('no journal')


class Part(Client):
    """a transfer was broken off"""

    def prepare(self, w):
        super().prepare(w)
        w.serve()
        w.run([HELPER + '/killat', '-d', w.centre, '-c', 'fsync', '-n', '6',
               *w.fetch_args('nosort')])
        if not glob.glob(w.centre + '/incoming/*/*/*.part'):
            raise Wrong('no part')


ROWS = {name.lower(): row for name, row in list(globals().items())
        if isinstance(row, type) and issubclass(row, Row) and row is not Row}
# What is struck at in each way; the others are states for one of them.
SYSTEM = [name for name in ROWS if name not in (
    'prober', 'acks', 'went', 'short', 'kept', 'journal', 'part', 'noted')]
