"""Scripted servers that speak TLS, and what can stand between them and loadgen."""

import socket
import ssl
import subprocess
import threading

import pytest

from load import ScriptedServer
from servers import PATIENCE


class Certificate:
    """A self-signed certificate and its key in one PEM file."""

    def __init__(self, path):
        key, certificate = path.with_suffix(".key"), path.with_suffix(".crt")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                        "-days", "2", "-subj", "/CN=localhost"], check=True, capture_output=True)
        self.key, self.certificate, self.both = key, certificate, path
        path.write_bytes(certificate.read_bytes() + key.read_bytes())

    def context(self, version=None, ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.both)
        if version:
            context.minimum_version = context.maximum_version = version
        if ciphers:
            context.set_ciphers(ciphers)
        return context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return Certificate(tmp_path_factory.mktemp("tls") / "server.pem")


class TlsServer(ScriptedServer):
    """SCRIPT(peer) runs behind a handshake by CONTEXT. Handshakes that failed are in `refused`, the others in `agreed`."""

    def __init__(self, script, context, before=None, **more):
        self.context = context
        self.before = before  # called with the bare peer; False: it is dealt with
        self.agreed, self.refused = [], []
        super().__init__(script, **more)
        self.url = self.url.replace("http://", "https://")

    def serve(self, peer):
        plain = peer.socket
        try:
            if self.before and self.before(peer) is False:
                plain.close()
                return
            peer.socket = self.context.wrap_socket(plain, server_side=True)
        except OSError as error:
            with self.lock:
                self.refused.append(error)
                self.open -= 1
            plain.close()
            return
        with self.lock:
            self.agreed.append((peer.socket.version(), peer.socket.cipher()[0]))
            self.peers.discard(plain)
            self.peers.add(peer.socket)
        super().serve(peer)


def goodbye(peer):
    """Ends TLS as it should be: with close_notify."""
    try:
        peer.socket = peer.socket.unwrap()
    except OSError:
        pass  # the client was first


class Relay:
    """
    Stands between clients and the server on PORT of this machine. What the server says goes through in PIECES (bytes at
    a time); after LIMIT bytes of it the connection is closed.
    """

    def __init__(self, port, piece=65536, limit=None):
        self.piece, self.limit = piece, limit
        self.server_port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.server_port), timeout=PATIENCE)
            client.settimeout(PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=hand_on, args=(client, server), daemon=True).start()
            threading.Thread(target=hand_on, args=(server, client, self.piece, self.limit), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def hand_on(source, sink, piece=65536, limit=None):
    """Moves bytes until the source ends, or LIMIT of them; then both have ended."""
    try:
        while limit is None or limit > 0:
            data = source.recv(piece if limit is None else min(piece, limit))
            if not data:
                break
            sink.sendall(data)
            limit = None if limit is None else limit - len(data)
    except OSError:
        pass
    for end in (sink,) if limit is None else (sink, source):
        try:
            end.shutdown(socket.SHUT_WR if limit is None else socket.SHUT_RDWR)
        except OSError:
            pass
