"""world: one monitor and one central host in a directory, for the campaign.

    w = World(directory)
    w.restore(template)     as it was then, in microseconds
    w.run([...])            a program, to its end
    w.serve(), w.fetch()    a data server, a pass of the data client
    w.finish()              whatever was done to it: once more, without; then
                            the oracle

A worker of the campaign has its own mount and network namespace, so that the
boot id (a power cut changes it) and small file systems are its own, and go away
with it.
"""
import ctypes
import glob
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid

SRC, BIN = os.environ['SRC'], os.environ['BIN']
HELPER = os.path.dirname(BIN) + '/helper'
RUN_S = 60  # no run lasts that long, or something hangs
PAGE = 4096
# A turned bit in the length of a TLS record has its reader wait for more than
# will come: the data client gives up first.
TIMEOUT = 'timeout 1s'
LISTS, STEP = 2, 9000  # so that there are two windows
CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE, MS_REMOUNT = 4096, 16384, 1 << 18, 32

loader = importlib.machinery.SourceFileLoader('books', SRC + '/tests/lib/books')
books = importlib.util.module_from_spec(
    importlib.util.spec_from_loader('books', loader))
loader.exec_module(books)

libc = ctypes.CDLL(None, use_errno=True)


class Wrong(Exception):
    """What must not be."""


def check(rc, what):
    if rc == -1:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, kind, flags, data=''):
    check(libc.mount(source.encode(), target.encode(), kind.encode(), flags,
                     data.encode()), 'mount ' + target)


def own_namespaces():
    check(libc.unshare(CLONE_NEWNS | CLONE_NEWNET), 'unshare')
    mount('none', '/', '', MS_REC | MS_PRIVATE)


def copy(source, target):
    """A tree; faster than shutil, which asks much."""
    os.mkdir(target)
    with os.scandir(source) as entries:
        for e in entries:
            to = target + '/' + e.name
            if e.is_symlink():
                os.symlink(os.readlink(e.path), to)
            elif e.is_dir():
                copy(e.path, to)
            else:
                with open(e.path, 'rb') as f, open(to, 'wb') as g:
                    g.write(f.read())
                mode = e.stat().st_mode & 0o777
                if mode != 0o644:
                    os.chmod(to, mode)


class World:
    def __init__(self, top, name):
        self.dir = '%s/%s' % (top, name)
        os.mkdir(self.dir)
        self.tree = self.dir + '/t'  # what a row may change and is restored
        self.spool, self.centre = self.tree + '/mon', self.tree + '/cen'
        self.sock, self.log = self.dir + '/s', self.dir + '/log'
        self.out = self.dir + '/out'
        self.children, self.codes, self.server = {}, {}, None
        self.traces, self.rotate = 12, 4
        self.keep, self.tls, self.mounted = '0', [], None
        self.fakenet = None
        self.boot_file = self.dir + '/boot'
        self.boot()
        mount(self.boot_file, '/proc/sys/kernel/random/boot_id', '', MS_BIND)
        self.plain()
        self.settings('sort.conf', 'grace 36500d', 'compress gzip')
        with open(self.dir + '/sort', 'w') as f:
            f.write('#!/bin/sh\nexec %s/datasort -c %s/sort.conf "$@"\n'
                    % (BIN, self.dir))
        os.chmod(self.dir + '/sort', 0o755)

    def settings(self, name, *lines):
        with open('%s/%s' % (self.dir, name), 'w') as f:
            f.write('\n'.join(lines) + '\n')

    def boot(self):
        with open(self.boot_file, 'w') as f:
            f.write(str(uuid.uuid4()) + '\n')

    def plain(self):
        """From here on nothing is encrypted."""
        self.tls = []
        self.settings('server', 'monitor mon %s' % self.sock,
                      'sorter %s/sort' % self.dir)
        self.settings('nosort', 'monitor mon %s' % self.sock,
                      'sorter /bin/true')
        self.settings('proxied', 'monitor mon %s.p' % self.sock,
                      'sorter /bin/true', TIMEOUT)

    def make_keys(self):
        """From here on TLS is spoken."""
        def key(program, name):
            return subprocess.run(
                [BIN + '/' + program, '--make-key', self.dir + '/' + name],
                check=True, stdout=subprocess.PIPE).stdout.decode().strip()
        pin = key('dataserver', 'mon.key')
        self.settings('peers', 'peer centre ' + key('datacli', 'cen.key'))
        self.tls = ['-K', self.dir + '/mon.key', '-p', self.dir + '/peers']
        for name, sock, sorter in (
                ('server', '', self.dir + '/sort'), ('nosort', '', '/bin/true'),
                ('proxied', '.p', '/bin/true\n' + TIMEOUT)):
            self.settings(name, 'key %s/cen.key' % self.dir,
                          'monitor mon %s%s %s' % (self.sock, sock, pin),
                          'sorter ' + sorter)

    # --- trees ---

    def empty(self):
        self.end()
        self.let_go()
        if os.path.exists(self.tree):
            shutil.rmtree(self.tree)
        os.mkdir(self.tree)
        os.mkdir(self.centre)
        os.mkdir(self.spool)
        open(self.log, 'w').close()

    def save(self, name):
        self.end()
        template = '%s/%s' % (self.dir, name)
        copy(self.tree, template)
        shutil.copy(self.boot_file, template + '.boot')
        return template

    def restore(self, template):
        self.end()
        self.let_go()
        shutil.rmtree(self.tree)
        copy(template, self.tree)
        with open(template + '.boot') as f, open(self.boot_file, 'w') as g:
            g.write(f.read())
        open(self.log, 'w').close()

    def make_small(self, folder, pages):
        """Have FOLDER, as it is, on a file system with PAGES left."""
        os.rename(folder, folder + '.t')
        os.mkdir(folder)
        mount('none', folder, 'tmpfs', 0, 'size=64m')
        self.mounted = folder
        for name in os.listdir(folder + '.t'):
            if os.path.isdir(folder + '.t/' + name):
                copy(folder + '.t/' + name, folder + '/' + name)
            else:
                shutil.copy(folder + '.t/' + name, folder)
        shutil.rmtree(folder + '.t')
        fs = os.statvfs(folder)
        used = fs.f_blocks - fs.f_bfree
        self.resize(max(1, used + pages) * PAGE)

    def resize(self, size):
        mount('none', self.mounted, 'tmpfs', MS_REMOUNT, 'size=%d' % size)

    def let_go(self):
        if self.mounted:
            check(libc.umount2(self.mounted.encode(), 2), 'umount')
        self.mounted = None

    # --- programs ---

    def start(self, argv, stdin='/dev/null'):
        log = (os.POSIX_SPAWN_OPEN, 1, self.log,
               os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
            log, (os.POSIX_SPAWN_DUP2, 1, 2)])
        self.children[pid] = argv
        return pid

    def wait(self, pid):
        """Exit status; 128 and the signal that ended it."""
        if pid in self.children:
            _, status = os.waitpid(pid, 0)
            del self.children[pid]
            code = os.waitstatus_to_exitcode(status)
            self.codes[pid] = 128 - code if code < 0 else code
        return self.codes[pid]

    def run(self, argv, stdin='/dev/null'):
        return self.wait(self.start(argv, stdin))

    def is_alive(self, pid):
        if pid not in self.children:
            return False
        if os.waitid(os.P_PID, pid,
                     os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return True
        self.wait(pid)
        return False

    def stop(self, pid, signo=signal.SIGTERM):
        if pid in self.children:
            os.kill(pid, signo)
        return self.wait(pid)

    def end(self):
        for pid in list(self.children):
            self.stop(pid, signal.SIGKILL)
        self.server = None

    def internet(self):
        """Have one, the embedded; it lives as long as this process."""
        if self.fakenet:
            return
        self.fakenet = subprocess.Popen(
            [BIN + '/fakenet', '-d', 'tun0', '-o', 'hops 2 3', '-o',
             'rtt-hop 100us'], stdout=subprocess.PIPE)
        self.fakenet.stdout.readline()
        subprocess.run(['ip', '-batch', '-'], check=True, input=b"""
            link set lo up
            link set tun0 up
            addr add 192.0.2.1/32 dev tun0
            addr add 2001:db8::1/128 dev tun0 nodad
            route add default dev tun0
            route add ::/0 dev tun0
            """)

    # --- the programs of the system ---

    def write_args(self, *more):
        return [HELPER + '/mkspool', '-d', self.spool, '-n', str(self.traces),
                '-r', str(self.rotate), '-s', str(STEP), '-l', str(LISTS),
                '-e', *more]

    def write(self):
        if self.run(self.write_args()) != 0:
            raise Wrong('the writer fails')

    def serve_args(self):
        return [BIN + '/dataserver', '-d', self.spool, '-l', self.sock,
                '-k', self.keep, *self.tls]

    def fetch_args(self, settings):
        return [BIN + '/datacli', '-1', '-d', self.centre,
                '%s/%s' % (self.dir, settings)]

    def sort_args(self):
        return [BIN + '/datasort', '-c', self.dir + '/sort.conf', '-d',
                self.centre, 'mon']

    def serve(self, before=()):
        """Returns when the data server listens or is dead."""
        if os.path.exists(self.sock):
            os.unlink(self.sock)
        self.server = self.start([*before, *self.serve_args()])
        while self.is_alive(self.server):
            try:
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(self.sock)
                return
            except OSError:
                time.sleep(0.0005)

    def fetch(self, settings='server'):
        return self.run(self.fetch_args(settings))

    def ask_again(self, pid):
        """Passes until one goes well or PID, which it is for, has ended; then
        PID's exit status."""
        while self.is_alive(pid) and self.fetch('nosort') != 0:
            time.sleep(0.02)
        return self.stop(pid)

    def keep_fetching(self, how):
        """A data client that stays until nothing is to be fetched any more, or
        it has ended.  Its exit status."""
        pid = self.start([*how, *self.fetch_args('nosort')[:1],
                          *self.fetch_args('nosort')[2:]])
        while glob.glob(self.spool + '/spool/*.warts'):
            if not self.is_alive(pid):
                return self.wait(pid)
            time.sleep(0.01)
        return self.stop(pid)

    def sort(self):
        return self.run(self.sort_args())

    # --- the end ---

    def finish(self, more=0):
        """All of it once more.  MORE passes may fail before one must not."""
        if self.server is None or not self.is_alive(self.server):
            self.serve()
        for left in range(more, -1, -1):
            rc = self.fetch()
            if rc == 0:
                break
            if left == 0:
                raise Wrong('the pass after it fails with %d' % rc)
        if self.stop(self.server) != 0:
            raise Wrong('the data server does not end well')

    def oracle(self, want=None):
        o = books.Oracle(self.centre, 'mon',
                         want or books.traces(self.traces, LISTS, STEP))
        o.closed = o.account = True
        o.spools = [self.spool]
        return o

    def judge(self, want=None):
        problems = self.oracle(want).check()
        if problems:
            raise Wrong('; '.join(problems[:6]))

    def missing(self):
        """After a power cut: the first trace that is nowhere any more (then
        nothing behind it may be)."""
        got = set()
        for path in (glob.glob(self.spool + '/*/*.warts') +
                     glob.glob(self.spool + '/spool/*.open') +
                     glob.glob(self.centre + '/incoming/*/*/*.warts')):
            got |= {t.user for t in books.Segment(path).traces}
        first = 1
        while first in got:
            first += 1
        if got and max(got) > first:
            raise Wrong('a hole at %d in %s' % (first, sorted(got)))
        return first
