"""rows: the table of what the campaign strikes at: a program in a state.

A row makes its state once (prepare), and lets its program run under killat
(strike); what is around the program runs as it always does.  After that all is
done once more, without (mend), and the oracle judges.  Another program is
another row.
"""
import os
import shutil

from world import HELPER, Wrong, books


class Row:
    files = 'mon'  # below the world's tree: what it writes

    def prepare(self, w):
        """The state before, in an empty world."""

    def strike(self, w, how):
        """Run it with HOW before its arguments.  Its exit status, or None."""
        raise NotImplementedError

    def mend(self, w, cut):
        """What a supervisor would start again.  CUT: the power failed."""

    def close(self, w):
        w.finish()
        w.judge()


class Writer(Row):
    """segments are begun, filled and sealed"""

    def strike(self, w, how):
        return w.run([*how, *w.write_args()])

    def mend(self, w, cut):
        more = ['-f', str(w.missing())] if cut else []
        if w.run(w.write_args(*more)) != 0:
            raise Wrong('the next writer fails')


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


class Orphan(Recovery):
    """the data server seals what a dead writer left"""

    def strike(self, w, how):
        return Server.strike(self, w, how)


class Client(Row):
    """the data client fetches it"""
    files = 'cen'

    def prepare(self, w):
        w.write()

    def strike(self, w, how):
        w.serve()
        return w.run([*how, *w.fetch_args('nosort')])


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

    def close(self, w):
        w.finish(more=3)
        o = w.oracle()
        o.refused, o.account = {2}, False
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


class Sort(Row):
    """the data sorter files it"""
    files = 'cen'

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


ROWS = {name.lower(): row for name, row in list(globals().items())
        if isinstance(row, type) and issubclass(row, Row) and row is not Row}
