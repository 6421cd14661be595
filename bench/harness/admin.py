"""async_server, and what it counts itself: asked at its admin address, which a thread of its own answers."""

import http.client
import re
import socket

from harness.machine import Failure
from harness.peers import PATIENCE, Peer


class AdminServer(Peer):
    """async_server with OPTIONS. One at a time: all have the same admin address."""

    def __init__(self, programs, folder, *options):
        self.admin_path = folder / "admin.sock"
        super().__init__("async_server", [programs / "async_server", "--bind", "127.0.0.1:{port}", "--backlog", "4096",
                                          "--admin", f"unix:{self.admin_path}", *options], folder)

    def answered(self):
        """Requests, with 200, since it started."""
        return self.metric('loopfork_responses_total{code="200"}')

    def open_connections(self):
        """Those that are open now."""
        return self.metric("loopfork_connections_open")

    def metric(self, name):
        try:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(PATIENCE)
                sock.connect(str(self.admin_path))
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: server\r\n\r\n")
                answer = http.client.HTTPResponse(sock, method="GET")
                answer.begin()
                text = answer.read().decode()
        except OSError as error:
            raise Failure(f"{self.name} does not say what it counts: {error}") from error
        return int(re.search(rf"^{re.escape(name)} (\d+)", text, re.M).group(1))
