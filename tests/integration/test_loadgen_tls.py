"""loadgen over TLS: against a server that tells what it saw, beside the real ab, and where TLS goes wrong."""

import json
import os
import re
import socket
import ssl
import threading
import time

import pytest

from load import OK, WELL, ScriptedServer, answering, assert_all_well, failures, loadgen, one_cell
from servers import PATIENCE
from test_loadgen_ab import AB, assert_alike, report_lines, run_ab
from tls_server import Relay, TlsServer, certificate, goodbye  # pylint: disable=unused-import

CLOSING = b"HTTP/1.1 200 OK\r\nServer: toy/1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"


def polite(script):
    """SCRIPT, and a proper end of TLS behind it."""

    def whole(peer):
        script(peer)
        goodbye(peer)

    return whole


class TestABodyThatLastsUntilTheEnd:
    """RFC 9112, 9.8: it is whole where TLS says that it ends, and of a connection that just ends nobody knows."""

    UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nServer: toy/1\r\n\r\nhello"
    VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])

    @staticmethod
    def script(answer, end):
        def run(peer):
            peer.request()
            peer.send(answer)
            end(peer)

        return run

    @VERSIONS
    def test_with_close_notify_it_is_whole(self, certificate, version):
        with TlsServer(self.script(self.UNTIL_CLOSE, goodbye), certificate.context(version)) as server:
            cell = one_cell("-n", 6, "-c", 2, server.url)
        assert_all_well(cell, 6)
        assert cell["document_length"] == 5

    @VERSIONS
    def test_without_it_is_cut(self, certificate, version):
        with TlsServer(self.script(self.UNTIL_CLOSE, lambda peer: None), certificate.context(version)) as server:
            cell = one_cell("-n", 6, "-c", 2, server.url, status=1)
        assert (cell["complete"], failures(cell)) == (6, {"truncated": 6})

    @VERSIONS
    def test_a_length_needs_no_end(self, certificate, version):
        with TlsServer(self.script(CLOSING, lambda peer: None), certificate.context(version)) as server:
            assert_all_well(one_cell("-n", 6, "-c", 2, server.url), 6)

    @pytest.mark.skipif(AB is None, reason="needs ab (Debian package apache2-utils)")
    def test_ab_says_the_same(self, certificate):
        for end, failed in ((goodbye, "0"), (lambda peer: None, "3")):
            with TlsServer(self.script(self.UNTIL_CLOSE, end), certificate.context()) as server:
                for report in loadgen("-n", 3, server.url), run_ab("-n", 3, server.url):
                    assert re.search(r"Failed requests: +(\d+)", report.stdout).group(1) == failed


class TestRequests:
    def test_a_connection_for_each_request(self, certificate):
        with TlsServer(polite(answering()), certificate.context()) as server:
            assert_all_well(one_cell("-n", 20, "-c", 4, server.url), 20)
        assert server.connections == len(server.agreed) == 20 and server.refused == []

    @pytest.mark.parametrize("end", [polite, lambda script: script])
    def test_keep_alive(self, certificate, end):
        with TlsServer(end(answering()), certificate.context()) as server:
            cell = one_cell("-n", 60, "-c", 3, "-k", server.url)
        assert_all_well(cell, 60)
        assert (server.connections, cell["keepalive_requests"]) == (3, 60)

    @pytest.mark.parametrize("end", [polite, lambda script: script])
    def test_a_server_that_closes_between_requests_loses_none(self, certificate, end):
        def script(peer):
            for _ in range(3):
                if peer.request():
                    peer.send(OK)

        with TlsServer(end(script), certificate.context()) as server:
            assert_all_well(one_cell("-n", 30, "-c", 2, "-k", server.url), 30)

    @pytest.mark.parametrize("together", [True, False])
    def test_pipelining(self, certificate, together):
        """Answers that share a record, and answers of which each has its own: none waits for another event."""

        def script(peer):
            while True:
                requests = [peer.request()]
                if not requests[0]:
                    return
                while b"\r\n\r\n" in peer.data:
                    requests.append(peer.request())
                for _ in range(1 if together else len(requests)):
                    peer.send(OK * len(requests) if together else OK)

        with TlsServer(script, certificate.context()) as server:
            assert_all_well(one_cell("-n", 200, "-c", 2, "--pipeline", 16, server.url), 200)
        assert server.connections == 2

    def test_threads_and_an_open_loop(self, certificate):
        with TlsServer(answering(), certificate.context()) as server:
            assert_all_well(one_cell("-n", 40, "-c", 8, "--threads", 2, "-k", server.url), 40)
            assert_all_well(one_cell("-n", 20, "-c", 4, "--rate", 100, "-k", server.url), 20)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @pytest.mark.parametrize("piece", [1, 7, 4000])
    def test_answers_whose_records_come_in_pieces(self, certificate, version, piece):
        with TlsServer(answering(), certificate.context(version)) as server, Relay(server.port, piece) as relay:
            cell = one_cell("-n", 12, "-c", 2, "-k", f"https://127.0.0.1:{relay.port}/")
        assert_all_well(cell, 12)
        assert cell["bytes"]["body"] == 60

    def test_a_pipeline_that_goes_on_on_a_new_connection(self, certificate):
        """The server answers one of four and closes: those behind it, and a new one, share the next handshake."""

        def script(peer):
            if peer.request():
                peer.send(CLOSING)
            while peer.request():
                pass

        with TlsServer(script, certificate.context()) as server:
            cell = one_cell("-n", 20, "-r", "--pipeline", 4, server.url)
        assert_all_well(cell, 20)
        assert 0 < cell["tls_ms"]["min"] <= cell["tls_ms"]["max"] <= cell["connect_ms"]["max"] < 60000

    def test_the_time_of_tls_is_that_of_handshakes_alone(self, certificate, tmp_path):
        with TlsServer(answering(), certificate.context()) as server:
            done = loadgen("-n", 20, "-k", "--json", tmp_path / "json", server.url)
        (cell,) = json.loads((tmp_path / "json").read_text())["cells"]
        assert cell["connect_ms"]["median"] == 0 < cell["tls_ms"]["median"]  # one handshake, 20 requests
        assert "\nTLS is the latter, of the requests that had one.\n" in done.stdout

    @pytest.mark.parametrize("framing", ["length", "chunked", "close"])
    def test_large_bodies_in_records_of_all_sizes(self, certificate, framing):
        body = bytes(range(256)) * 1200

        def script(peer):
            while peer.request():
                if framing == "length":
                    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                elif framing == "chunked":
                    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                else:
                    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
                at = 0
                for size in [1, 2, 16384, 16385, 100, 70000, len(body)]:
                    part = body[at:at + size]
                    peer.send(b"%x\r\n%s\r\n" % (len(part), part) if framing == "chunked" else part)
                    at += size
                if framing == "chunked":
                    peer.send(b"0\r\n\r\n")
                if framing == "close":
                    return

        with TlsServer(polite(script), certificate.context()) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", server.url)
        assert_all_well(cell, 6)
        assert cell["bytes"]["body"] == 6 * len(body)

    def test_a_large_body_is_sent(self, certificate, tmp_path):
        body = bytes(range(251)) * 8000
        (tmp_path / "body").write_bytes(body)
        seen = []

        def script(peer):
            while True:
                request = peer.request()
                if not request:
                    return
                seen.append(request.partition(b"\r\n\r\n")[2])
                peer.send(OK)

        with TlsServer(script, certificate.context()) as server:
            assert_all_well(one_cell("-n", 4, "-c", 2, "-k", "-p", tmp_path / "body", server.url), 4)
        assert [part == body for part in seen] == [True] * 4

    def test_the_host_field_has_no_port_443(self, certificate):
        seen = []

        def script(peer):
            seen.append(peer.request())
            peer.send(CLOSING)

        with TlsServer(script, certificate.context()) as server:
            assert_all_well(one_cell("-n", 1, server.url), 1)
        assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in seen[0]
        done = loadgen("-n", 1, "-X", "127.0.0.1:1", "https://localhost/")
        assert done.stderr.startswith("loadgen: https://localhost/: cannot connect through the proxy 127.0.0.1:1: ")


class TestAgreement:
    @pytest.mark.parametrize("asked,version", [("TLS1", "TLSv1"), ("TLS1.1", "TLSv1.1"), ("TLS1.2", "TLSv1.2"),
                                               ("tls1.3", "TLSv1.3"), ("ALL", "TLSv1.3"), (None, "TLSv1.3")])
    def test_versions(self, certificate, asked, version):
        context = certificate.context(ciphers="ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with TlsServer(answering(), context) as server:
            assert_all_well(one_cell("-n", 2, *(["-f", asked] if asked else []), server.url), 2)
        assert {protocol for protocol, _ in server.agreed} == {version}

    @pytest.mark.parametrize("options,cipher", [
        (["-f", "TLS1.2", "-Z", "AES128-GCM-SHA256"], "AES128-GCM-SHA256"),
        (["-f", "TLS1.2", "-Z", "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256"], "ECDHE-RSA-AES128-GCM-SHA256"),
        (["-f", "TLS1.3", "-Z", "TLS_CHACHA20_POLY1305_SHA256"], "TLS_CHACHA20_POLY1305_SHA256"),
        (["-Z", "TLS_AES_128_GCM_SHA256"], "TLS_AES_128_GCM_SHA256"),
    ])
    def test_ciphers(self, certificate, options, cipher):
        with TlsServer(answering(), certificate.context()) as server:
            assert_all_well(one_cell("-n", 2, *options, server.url), 2)
        assert {agreed for _, agreed in server.agreed} == {cipher}

    @pytest.mark.parametrize("options,host,name", [
        ([], "localhost", "localhost"),
        ([], "127.0.0.1", None),
        (["-I"], "localhost", None),
        (["-H", "Host: name.example:99"], "127.0.0.1", "name.example"),
    ])
    def test_sni_and_alpn(self, certificate, options, host, name):
        names, protocols = [], []
        context = certificate.context()
        context.sni_callback = lambda _, told, __: names.append(told)
        context.set_alpn_protocols(["h2", "http/1.1"])

        def script(peer):
            protocols.append(peer.socket.selected_alpn_protocol())
            peer.request()
            peer.send(CLOSING)

        with TlsServer(script, context) as server:
            assert_all_well(one_cell("-n", 2, *options, server.url.replace("127.0.0.1", host)), 2)
        assert (names, protocols) == ([name] * 2, ["http/1.1"] * 2)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_client_certificate(self, certificate, version):
        context = certificate.context(version)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate.certificate)
        with TlsServer(answering(), context) as server:
            assert_all_well(one_cell("-n", 3, "-E", certificate.both, server.url), 3)
            assert server.refused == []
            done = loadgen("-n", 50, "-c", 2, server.url)
        assert done.returncode == 1
        assert re.search(r"test aborted after 10 failed TLS handshakes in a row \([^)]*"
                         r"(handshake failure|certificate required)", done.stderr), done.stderr

    @pytest.mark.parametrize("status,options,says", [
        (2, ["-f", "SSL2"], "-f SSL2: this system's OpenSSL does not have it"),
        (2, ["-f", "TLS9"], "-f TLS9: use "),
        (2, ["-Z", "NO-SUCH"], "-Z NO-SUCH: OpenSSL knows no such ciphers"),
        (1, ["-E", "/no/such.pem"], "-E /no/such.pem: cannot read the file: No such file or directory"),
        (1, ["-E", "/"], "-E /: cannot read the file: Is a directory"),
        (2, ["-E", "/dev/null"], "-E /dev/null: the file has no certificate that can be read"),
    ])
    @pytest.mark.parametrize("scheme", ["https", "http"])
    def test_an_option_that_cannot_be_had_is_one_line(self, status, options, says, scheme):
        done = loadgen(*options, f"{scheme}://127.0.0.1:1/")
        assert (done.returncode, done.stdout) == (status, "")
        assert done.stderr.startswith(f"loadgen: {says}") and done.stderr.count("\n") == 1


@pytest.mark.skipif(AB is None, reason="needs ab (Debian package apache2-utils)")
class TestReport:
    """Beside that of the real ab, line by line."""

    CASES = {
        "plain": [],
        "keep-alive": ["-k"],
        "TLS 1.2": ["-f", "TLS1.2"],
        "an old exchange of keys": ["-f", "TLS1.2", "-Z", "AES256-GCM-SHA384"],
        "a cipher of TLS 1.3": ["-f", "TLS1.3", "-Z", "TLS_CHACHA20_POLY1305_SHA256"],
        "a list for TLS 1.2 that TLS 1.3 does not mind": ["-Z", "AES256-GCM-SHA384"],
        "another curve": [],
        "no name": ["-I"],
        "another name": ["-H", "Host: name.example"],
        "an address": [],
        "no deviation": ["-S", "-d"],
    }

    @pytest.mark.parametrize("case", CASES)
    def test_the_report_is_that_of_ab(self, certificate, case):
        def script(peer):
            while True:
                request = peer.request()
                if not request:
                    return
                time.sleep(0.005)
                keep = b"Keep-Alive" in request
                peer.send(CLOSING.replace(b"close", b"keep-alive") if keep else CLOSING)
                if not keep:
                    return

        context = certificate.context()
        if case == "another curve":
            context.set_ecdh_curve("prime256v1")
        with TlsServer(polite(script), context) as server:
            url = server.url if case == "an address" else server.url.replace("127.0.0.1", "localhost")
            ours = loadgen("-n", 12, "-c", 3, *self.CASES[case], url)
            theirs = run_ab("-n", 12, "-c", 3, *self.CASES[case], url)
        assert ours.returncode in WELL and theirs.returncode == 0, ours.stderr + theirs.stderr
        assert_alike(ours, theirs)
        ours, theirs = (([line for line in report_lines(report.stdout) if re.match(r"SSL/TLS|Server |TLS ", line)])
                        for report in (ours, theirs))
        assert ours == theirs
        assert len(ours) == {"no name": 5, "an address": 5, "an old exchange of keys": 5}.get(case, 6)


class TestFailures:
    def test_a_failed_handshake_is_counted_and_tried_again(self, certificate):
        def every_third(peer):
            return peer.number % 3 != 1

        with TlsServer(polite(answering()), certificate.context(), before=every_third) as server:
            cell = one_cell("-n", 20, server.url, status=1)
            assert (cell["complete"], failures(cell)) == (20, {"tls": 10})
            done = loadgen("-n", 4, server.url)
        assert re.search(r"\nFailed requests:        (\d)\n   \(Connect: \1, Receive: 0, Length: 0, Exceptions: 0\)\n", done.stdout)

    @pytest.mark.parametrize("how", ["closes", "resets", "closes in the first record", "sends an alert"])
    def test_a_server_that_ends_every_handshake(self, certificate, how):
        def end(peer):
            if how == "resets":
                peer.reset()
                return False
            peer.socket.recv(65536)
            if how == "closes in the first record":
                peer.send(b"\x16\x03\x03\x01\x00\x02")
            if how == "sends an alert":
                peer.send(b"\x15\x03\x03\x00\x02\x02\x28")
            return False

        with TlsServer(answering(), certificate.context(), before=end) as server:
            done = loadgen("-n", 20, "-c", 2, server.url)
        text = "handshake failure" if how == "sends an alert" else "connection reset by peer"
        assert done.returncode == 1
        assert re.fullmatch(rf"loadgen: {server.url}: test aborted after 10 failed TLS handshakes in a row \([^)]*{text}[^)]*\);"
                            r" 0 requests completed\n", done.stderr), done.stderr

    def test_a_server_that_resets_at_once_refuses_the_handshake_and_not_the_connection(self):
        """Whether the reset is there before loadgen looks or after: several runs, for the race may go either way."""
        def serve(listener):
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                connection.close()

        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=serve, args=(listener,), daemon=True)
            thread.start()
            said = {loadgen("-n", 20, "-c", 2, f"https://127.0.0.1:{listener.getsockname()[1]}/").stderr for _ in range(6)}
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(PATIENCE)
        assert all("test aborted after 10 failed TLS handshakes in a row (connection reset by peer)" in line for line in said), said

    def test_a_server_that_speaks_no_tls_is_named(self):
        with ScriptedServer(lambda peer: peer.socket.recv(65536) and peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
            done = loadgen("-n", 20, f"https://127.0.0.1:{server.port}/")
        assert done.returncode == 1
        assert "wrong version number (a server that does not speak TLS on this port answers so)" in done.stderr

    def test_a_handshake_that_never_ends_times_out(self, certificate):
        def wait(peer):
            peer.socket.recv(65536)
            while peer.socket.recv(65536):
                pass
            return False

        with TlsServer(answering(), certificate.context(), before=wait) as server:
            cell = one_cell("-n", 3, "-c", 3, "-s", 0.3, server.url, status=1)
        assert failures(cell) == {"timeout": 3}

    def test_a_server_that_keeps_many_waiting_for_a_handshake_is_measured(self, certificate):
        """Those who began together give up together, which is no row of failures where others were served meanwhile."""

        def half_of_the_first(peer):
            if peer.number < 40 and peer.number % 2 == 1:
                while peer.socket.recv(65536):
                    pass
                return False
            return True

        with TlsServer(answering(), certificate.context(), before=half_of_the_first) as server:
            cell = one_cell("-n", 60, "-c", 40, "-s", 3, server.url, status=1)
        assert (cell["complete"], failures(cell)) == (60, {"timeout": 20})

    def test_handshakes_that_are_answered_no_more_end_the_cell(self, certificate):
        def the_first(peer):
            if peer.number > 0:
                while peer.socket.recv(65536):
                    pass
                return False
            return True

        with TlsServer(answering(), certificate.context(), before=the_first) as server:
            done = loadgen("-n", 100, "-c", 10, "-s", 1, server.url)
        assert done.returncode == 1
        assert re.fullmatch(rf"loadgen: {server.url}: test aborted after 10 failed TLS handshakes in a row \(connection timed out\); "
                            r"\d+ requests? completed\n", done.stderr), done.stderr

    def test_a_reset_while_the_request_still_leaves(self, certificate, tmp_path):
        body = tmp_path / "body"
        body.write_bytes(b"x" * (32 << 20))

        def script(peer):
            peer.socket.recv(1000)
            time.sleep(0.1)
            peer.reset()

        with TlsServer(script, certificate.context()) as server:
            cell = one_cell("-n", 4, "-c", 2, "-r", "-p", body, server.url, status=1)
        assert failures(cell) == {"reset": 4}

    @pytest.mark.parametrize("missing", [1, 10, 30])
    def test_an_answer_cut_in_its_last_record_is_truncated(self, certificate, missing):
        """The relay passes all but the last bytes of what the server said."""
        said = []

        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + bytes(3000))
            said.append(True)
            peer.request()

        context = certificate.context(ssl.TLSVersion.TLSv1_2)
        context.options |= ssl.OP_NO_TICKET
        with TlsServer(script, context) as server:
            with CountingRelay(server.port) as relay:
                assert_all_well(one_cell("-n", 1, f"https://127.0.0.1:{relay.port}/"), 1)
            with Relay(server.port, limit=relay.count - missing) as relay:
                cell = one_cell("-n", 2, f"https://127.0.0.1:{relay.port}/", status=1)
        assert failures(cell) == {"truncated": 2}

    def test_a_reset_in_an_answer(self, certificate):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + bytes(300))
            time.sleep(0.05)
            peer.reset()

        with TlsServer(script, certificate.context()) as server:
            cell = one_cell("-n", 4, "-c", 2, "-r", server.url, status=1)
        assert failures(cell) == {"reset": 4}

    def test_bytes_that_are_no_record_are_malformed(self, certificate):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + bytes(300))
            plain = peer.socket.detach()
            os.write(plain, b"not a record at all")
            time.sleep(0.2)
            os.close(plain)

        with TlsServer(script, certificate.context()) as server:
            cell = one_cell("-n", 2, "-r", server.url, status=1)
        assert failures(cell) == {"malformed": 2}


class CountingRelay(Relay):
    """Counts what the server said on the first connection."""
    count = 0

    def accept(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.server_port))
        threading.Thread(target=self.forward, args=(client, server), daemon=True).start()
        while data := server.recv(65536):
            self.count += len(data)
            client.sendall(data)

    @staticmethod
    def forward(client, server):
        try:
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass
