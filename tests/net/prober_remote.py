#!/usr/bin/env python3
"""Helper of prober-remote.test: a wire that can be cut.

    prober_remote.py LISTEN TO [CERTIFICATE [AUTHORITY]]
        pass connections to port LISTEN of 127.0.0.1 on to port TO; cut them at
        SIGUSR1.  With a certificate (and its key, one PEM file) they are TLS;
        with an authority (PEM) who connects must show a certificate by it.
"""
import select
import signal
import socket
import ssl
import sys

cut = False


def on_signal(*_):
    global cut
    cut = True


def passed_on(a, b):
    """One turn; false at the end of either."""
    ready, _, _ = select.select([a, b], [], [], 0.1)
    for s in ready:
        try:
            piece = s.recv(65536)
            while isinstance(s, ssl.SSLSocket) and s.pending():
                piece += s.recv(65536)
        except OSError:
            piece = b""
        if not piece:
            return False
        (b if s is a else a).sendall(piece)
    return True


signal.signal(signal.SIGUSR1, on_signal)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
context = None
if len(sys.argv) > 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[3])
    if len(sys.argv) > 4:
        context.load_verify_locations(sys.argv[4])
        context.verify_mode = ssl.CERT_REQUIRED
while True:
    a, _ = listener.accept()
    try:
        if context:
            a = context.wrap_socket(a, server_side=True)
    except OSError:
        a.close()
        continue
    b = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    cut = False
    while not cut and passed_on(a, b):
        pass
    a.close()
    b.close()
