"""tlspeer: both sides of the transfer for tests: programs under test with keys
in a temporary directory, and hand-made peers on Python's TLS.

    world = World()              a directory, removed at the end
    world.key('mon')             mon.key; returns "pin=sha256:..."
    world.start('dataserver', ...)  a program; its log with .log()
    world.connect(port, 'mon')   a TLS connection that shows that key
"""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

BIN = os.environ['BIN']


class Program:
    def __init__(self, world, name, args, env=None):
        self.path = os.path.join(world.dir, '%s.%d.log'
                                 % (name, len(world.programs)))
        with open(self.path, 'w') as out:
            self.proc = subprocess.Popen(
                [os.path.join(BIN, name)] + args, cwd=world.dir, stderr=out,
                stdin=subprocess.DEVNULL)
        world.programs.append(self)

    def log(self):
        with open(self.path) as f:
            return f.read()

    def wait_log(self, text, seconds=20):
        until(lambda: text in self.log(), seconds, 'no "%s" in %s:\n%s' %
              (text, self.path, self.log()), lambda: self.log())

    def signal(self, number):
        self.proc.send_signal(number)

    def memory_kb(self):
        with open('/proc/%d/status' % self.proc.pid) as f:
            return int([line for line in f if line.startswith('VmHWM')]
                       [0].split()[1])

    def stop(self):
        if self.proc.poll() is None:
            self.proc.terminate()
            try:
                self.proc.wait(10)
            except subprocess.TimeoutExpired:
                self.proc.kill()
        return self.proc.wait()


def until(true, seconds, what, more=lambda: ''):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise AssertionError('%s\n%s' % (what, more()))
        time.sleep(0.02)


def free_port():
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    port = s.getsockname()[1]
    s.close()
    return port


class World:
    def __init__(self):
        self.dir = tempfile.mkdtemp()
        self.programs = []
        self.failed = 0

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        return self

    def __exit__(self, *_):
        for p in self.programs:
            p.stop()
        shutil.rmtree(self.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), 'w') as f:
            f.write(text)

    def run(self, name, *args):
        return subprocess.run([os.path.join(BIN, name)] + list(args),
                              cwd=self.dir, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=100,
                              universal_newlines=True)

    def key(self, name):
        """NAME.key by our own command; its pin."""
        p = self.run('dataserver', '--make-key', name + '.key')
        assert p.returncode == 0 and p.stdout.startswith('pin=sha256:'), p
        return p.stdout.strip()

    def openssl(self, *args):
        return subprocess.run(('openssl',) + args, cwd=self.dir, check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True).stdout

    def certificate(self, name):
        """A certificate for NAME.key; Python wants one."""
        if not os.path.exists(self.path(name + '.crt')):
            self.openssl('req', '-x509', '-key', name + '.key', '-subj',
                         '/CN=any', '-out', name + '.crt')
        return self.path(name + '.crt')

    def expired_certificate(self, name):
        """One that was good for a day in 2001."""
        self.write('ca.cnf', '[ca]\ndefault_ca=c\n[c]\ndatabase=db\n'
                   'serial=serial\nnew_certs_dir=.\ndefault_md=default\n'
                   'policy=p\n[p]\ncommonName=supplied\n')
        self.write('db', '')
        self.write('serial', '01\n')
        self.openssl('req', '-new', '-key', name + '.key', '-subj', '/CN=old',
                     '-out', 'old.csr')
        self.openssl('ca', '-batch', '-config', 'ca.cnf', '-selfsign',
                     '-keyfile', name + '.key', '-in', 'old.csr', '-out',
                     'old.crt', '-startdate', '20010101000000Z', '-enddate',
                     '20010102000000Z', '-notext')
        return self.path('old.crt')

    def context(self, server, key=None, crt=None):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server
                             else ssl.PROTOCOL_TLS_CLIENT)
        if not server:
            ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        if key is not None:
            ctx.load_cert_chain(crt or self.certificate(key),
                                self.path(key + '.key'))
        return ctx

    def connect(self, port, key=None, crt=None):
        s = socket.create_connection(('127.0.0.1', port), 20)
        return self.context(False, key, crt).wrap_socket(s)

    def start(self, name, *args):
        return Program(self, name, list(args))

    def start_listening(self, port, name, *args):
        p = self.start(name, *args)
        until(lambda: reachable(port), 10, '%s does not listen' % name, p.log)
        return p

    def spool(self, name, traces, *more):
        subprocess.run([BIN + '/../helper/mkspool', '-d', name, '-n',
                        str(traces)] + list(more), cwd=self.dir, check=True,
                       stdout=subprocess.DEVNULL)

    def expect(self, what, ok, more=''):
        if not ok:
            print('FAIL: %s %s' % (what, more))
            self.failed += 1


def reachable(port):
    """A listener, seen without troubling it."""
    want = '0100007F:%04X' % port
    with open('/proc/net/tcp') as f:
        return any(line.split()[1:4:2] == [want, '0A'] for line in f)


def answer(s):
    """All that the peer says, to its end."""
    got = b''
    try:
        while True:
            data = s.recv(65536)
            if not data:
                break
            got += data
    except OSError:
        pass
    s.close()
    return got.decode('latin-1')


def record(port, tape):
    """A proxy for one connection that keeps what the client sends."""
    lis = socket.socket()
    lis.bind(('127.0.0.1', 0))
    lis.listen(1)

    def pump(a, b, keep):
        try:
            while True:
                data = a.recv(65536)
                if not data:
                    break
                if keep is not None:
                    keep.append(data)
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def serve():
        a = lis.accept()[0]
        b = socket.create_connection(('127.0.0.1', port))
        t = threading.Thread(target=pump, args=(b, a, None), daemon=True)
        t.start()
        pump(a, b, tape)
        t.join(10)
    threading.Thread(target=serve, daemon=True).start()
    return lis.getsockname()[1]
