"""centre: a scripted Control Server, good or hostile, and the texts it hands
out, for tests of a monitor's check-in.

    keys = Keys(world, 'root', 'release', 'assign', 'bad')
    pub = Publication(keys, 'mon')   roots, release, assign and objects
    srv = Centre(world)              serves srv.versions, srv.texts, srv.objects
    srv.publish(pub)                 ... from now on, and tells who waits
    srv.wait_beat(lambda b: ...)     the next heartbeat that is like that
"""
import base64
import hashlib
import socket
import ssl
import subprocess
import threading
import time

FOREVER = 4000000000
KINDS = ('root', 'stop', 'release', 'assign')


class Keys:
    """Ed25519 keys by name; keys['x'] is the public one as texts have it."""

    def __init__(self, world, *names):
        self.world = world
        self.public = {}
        for name in names:
            path = world.path(name + '.sign')
            world.openssl('genpkey', '-algorithm', 'ed25519', '-out', path)
            der = subprocess.run(
                ['openssl', 'pkey', '-in', path, '-pubout', '-outform',
                 'DER'], check=True, stdout=subprocess.PIPE).stdout
            self.public[name] = 'ed25519:' + base64.b64encode(
                der[-32:]).decode()

    def __getitem__(self, name):
        return self.public[name]

    def sign(self, text, name, named=None):
        """TEXT with its last line; NAMED: whose key is named in it."""
        if isinstance(text, str):
            text = text.encode()
        path = self.world.path('to-sign.%d' % threading.get_ident())
        with open(path, 'wb') as f:
            f.write(text)
        sig = subprocess.run(
            ['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey',
             self.world.path(name + '.sign'), '-in', path], check=True,
            stdout=subprocess.PIPE).stdout
        return text + ('signature %s %s\n' % (
            self[named or name], base64.b64encode(sig).decode())).encode()


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Publication:
    """What stands in the texts; text(kind) makes and signs it."""

    def __init__(self, keys, monitor):
        self.keys, self.monitor = keys, monitor
        self.root_version, self.release_version = 1, 1
        self.version, self.stop_version = 1, 0
        self.root = ['key root ' + keys['root'], 'key release ' +
                     keys['release'], 'key assign ' + keys['assign'],
                     'next ' + keys['root']]
        self.release = []  # lines
        self.stop = 'go'
        self.lists = []  # lines
        self.objects = {}
        self.files = {}  # (list, name) -> (directive, bytes)
        self.code = {}  # name -> bytes
        self.allow = set()  # (name, bytes): code that the release has

    def release_lines(self):
        return self.release + ['code %s %s %d' % (n, sha(d), len(d))
                               for n, d in sorted(self.allow)]

    def assign_lines(self):
        lines = ['monitor ' + self.monitor] + self.lists
        for (n, name), (what, data) in sorted(self.files.items()):
            lines.append('file %d %s on-change=%s sha256=%s size=%d' % (
                n, name, what, sha(data), len(data)))
        for name, data in sorted(self.code.items()):
            lines.append('code %s sha256=%s size=%d' % (
                name, sha(data), len(data)))
        return lines

    def head(self, kind):
        return {
            'root': 'signed root %d expires=%d' % (self.root_version, FOREVER),
            'stop': 'signed stop %d' % self.stop_version,
            'release': 'signed release %d expires=%d' % (
                self.release_version, FOREVER),
            'assign': 'signed assign %s %d expires=%d release=%d' % (
                self.monitor, self.version, FOREVER, self.release_version),
        }[kind]

    def body(self, kind):
        return {'root': self.root, 'stop': ['probing ' + self.stop],
                'release': self.release_lines(),
                'assign': self.assign_lines()}[kind]

    def unsigned(self, kind):
        return '\n'.join([self.head(kind)] + self.body(kind)) + '\n'

    def text(self, kind, signer=None):
        return self.keys.sign(self.unsigned(kind), signer or {
            'root': 'root', 'stop': 'release'}.get(kind, kind))

    def versions(self):
        return {'root': self.root_version, 'stop': self.stop_version,
                'release': self.release_version, 'assign': self.version}

    def all_objects(self):
        datas = [d for _, d in self.files.values()] + list(self.code.values())
        return {sha(d): d for d in datas}


class Centre:
    """Serves one monitor at a time as often as it comes.  HOOKS: verb -> a
    function (session, words) that answers instead; it returns True if it
    did."""

    def __init__(self, world, key, port):
        self.ctx = world.context(True, key)
        # A client's key is asked for, and anything will do.
        self.lock = threading.Condition()
        self.texts, self.roots, self.objects = {}, {}, {}
        self.versions = dict.fromkeys(KINDS, 0)
        self.serial = 0
        self.hooks, self.beats, self.asked = {}, [], []
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(('127.0.0.1', port))
        self.sock.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            conn, _ = self.sock.accept()
            threading.Thread(target=self.session, args=(conn,),
                             daemon=True).start()

    def publish(self, pub=None, **more):
        """PUB in all its parts, then MORE: versions=, texts=, objects=,
        hooks= instead."""
        with self.lock:
            self.hooks = more.get('hooks', {})
            if pub is not None:
                self.versions = pub.versions()
                for kind in KINDS[1:]:
                    if self.versions[kind]:
                        self.texts[kind] = pub.text(kind)
                self.roots[pub.root_version] = pub.text('root')
                self.objects = pub.all_objects()
            self.versions.update(more.get('versions', {}))
            self.texts.update(more.get('texts', {}))
            self.roots.update(more.get('roots', {}))
            self.objects.update(more.get('objects', {}))
            self.serial += 1
            self.beats = []
            self.asked = []
            self.lock.notify_all()

    def wait_beat(self, like, what, seconds=30):
        """The first heartbeat since the last publish() that is LIKE."""
        end = time.monotonic() + seconds
        with self.lock:
            while True:
                for b in self.beats:
                    if like(b):
                        return b
                left = end - time.monotonic()
                assert left > 0, 'no heartbeat with %s; last %s' % (
                    what, self.beats[-1:])
                self.lock.wait(left)

    def session(self, conn):
        try:
            tls = self.ctx.wrap_socket(conn, server_side=True)
            Session(self, tls).run()
        except (OSError, ssl.SSLError):
            pass  # it hung up
        finally:
            conn.close()


class Session:
    def __init__(self, centre, tls):
        self.c, self.tls = centre, tls
        self.f = tls.makefile('rb')
        self.serial = None
        self.beat = {}

    def send(self, data):
        self.tls.sendall(data if isinstance(data, bytes) else data.encode())

    def words(self, verb):
        self.serial = self.c.serial
        return '%s %s\n' % (verb, ' '.join(
            '%s=%d' % kv for kv in self.c.versions.items()))

    def run(self):
        for line in self.f:
            words = line.decode().rstrip('\n').split(' ')
            hook = self.c.hooks.get(words[0])
            if words[0] == 'get':
                hook = self.c.hooks.get('get ' + words[1], hook)
                self.c.asked.append(' '.join(words[1:]))
            if hook and hook(self, words):
                continue
            getattr(self, 'do_' + words[0].replace('-', '_'))(words)

    def do_hello(self, words):
        with self.c.lock:
            self.send(self.words('hello ctlserver 1 time=%d' % time.time()))

    def do_beat(self, words):
        key, value = ' '.join(words[1:]).split('=', 1)
        self.beat[key] = value

    def do_beat_end(self, words):
        with self.c.lock:
            self.beat['serial'] = self.serial
            if self.serial == self.c.serial:
                self.c.beats.append(self.beat)
            self.beat = {}
            self.c.lock.notify_all()
        self.send('ok\n')

    def text(self, kind, version, data):
        self.send(('text %s %d %d\n' % (kind, version, len(data))).encode() +
                  data)

    def do_get(self, words):
        with self.c.lock:
            if words[1] == 'object':
                data = self.c.objects.get(words[2])
                at = int(words[3]) if len(words) > 3 else 0
                if data is not None:
                    self.send(('object %s %d %d\n' % (
                        words[2], len(data), at)).encode() + data[at:])
                    return
            elif words[1] == 'root':
                if int(words[2]) in self.c.roots:
                    self.text('root', int(words[2]),
                              self.c.roots[int(words[2])])
                    return
            elif words[1] in self.c.texts:
                self.text(words[1], self.c.versions[words[1]],
                          self.c.texts[words[1]])
                return
        self.send('none\n')

    def do_wait(self, words):
        with self.c.lock:
            if self.serial == self.c.serial:
                self.c.lock.wait(min(float(words[1]), 20))
            if self.serial == self.c.serial:
                self.send('same\n')
                return
            self.send(self.words('changed'))

    def do_ping(self, words):
        self.send('pong\n')
