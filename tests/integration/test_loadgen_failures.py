"""loadgen against servers that misbehave: each failure is counted in its class, and none is dropped."""

import csv
import itertools
import json
import random
import re
import resource
import socket
import subprocess
import threading
import time

import pytest

from load import (LOADGEN, OK, ScriptedServer, answering, default_signals, failures, free_port, loadgen, loadgen_json,
                  one_cell)
from servers import PATIENCE, wait_until

STACK = 256 * 1024  # bytes; a frame for each of 20000 requests would not fit


class TestConnect:
    def test_a_refused_connection_is_one_clear_line(self):
        port = free_port()
        done = loadgen("-n", 10, "-c", 5, f"127.0.0.1:{port}")
        assert done.returncode == 1
        assert done.stderr == f"loadgen: http://127.0.0.1:{port}/: connection refused; is the server running?\n"
        assert "Complete requests" not in done.stdout

    def test_of_two_servers_the_one_that_is_up_is_measured(self):
        down = f"http://127.0.0.1:{free_port()}/"
        with ScriptedServer(answering()) as up:
            done = loadgen("-n", 4, "-c", "1,2", down, up.url)
        assert done.returncode == 1
        assert done.stderr == f"loadgen: {down}: connection refused; is the server running?\n"
        rows = [line.split() for line in done.stdout.splitlines() if line.startswith(("A  ", "B  "))][2:]
        assert [row[:4] for row in rows] == [["B", "1", "4", "0"], ["B", "2", "4", "0"]]

    def test_a_sweep_of_which_nothing_was_measured_has_no_table_and_an_empty_list(self):
        done = loadgen("-n", 4, "-c", "1,2", f"127.0.0.1:{free_port()}")
        assert (done.returncode, done.stdout) == (1, "")
        result = loadgen_json("-n", 4, "-c", "1,2", f"127.0.0.1:{free_port()}", status=1)
        assert result["cells"] == [] and result["interrupted"] is False

    @staticmethod
    def closing(number):
        """A server that stops listening at its connection NUMBER, and answers it."""
        def script(peer):
            peer.request()
            if peer.number == number:
                server.stop_listening()
            peer.send(OK)

        server = ScriptedServer(script)
        return server

    def test_ten_failed_connects_in_a_row_end_the_cell(self, tmp_path):
        files = {option: tmp_path / option for option in ("json", "csv", "g")}
        with self.closing(3) as server:
            done = loadgen("-n", 1000, "--json", files["json"], "--csv", files["csv"], "-g", files["g"], server.url)
        assert done.returncode == 1
        assert (f"loadgen: {server.url}: test aborted after 10 failed connects in a row (connection refused); "
                "4 requests completed (-r goes on after such errors)\n") in done.stderr
        assert "Complete requests:      4\n" in done.stdout
        assert "The run broke off: these figures are of what was done until then" in done.stdout
        (cell,) = json.loads(files["json"].read_text())["cells"]
        assert (cell["complete"], cell["broken"], failures(cell)) == (4, True, {"connect": 10})
        (row,) = csv.DictReader(files["csv"].open())
        assert (row["complete"], row["failed_connect"]) == ("4", "10")
        assert len(files["g"].read_text().splitlines()) == 1 + 4

    def test_in_a_table_a_cell_that_broke_off_is_named(self):
        with self.closing(3) as server:
            done = loadgen("-n", 1000, "-c", "1,2", server.url)
        assert done.returncode == 1
        assert "c 1: the run broke off; these figures are of what was done until then\n" in done.stdout

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("load", [["-c", 2], ["--rate", 2000]], ids=["closed", "open"])
    def test_with_r_refused_connects_fail_alone(self, threads, load):
        with self.closing(50) as server:
            done = loadgen("-q", "-n", 300, "--threads", threads, "-r", "--json", "-", *load, server.url)
        assert done.returncode == 1 and "aborted" not in done.stderr
        (cell,) = json.loads(done.stdout)["cells"]
        assert cell["complete"] == 300 and cell["broken"] is False
        assert cell["failures"]["connect"] > 150 and cell["failures"]["connect"] + cell["failures"]["reset"] == cell["failed"]

    def test_with_r_a_closed_loop_does_not_spin_before_a_closed_door(self):
        with self.closing(0) as server:
            cell = one_cell("-q", "-r", "-n", 1 + 20, "-k", "--pipeline", 1, server.url, status=1)
        assert cell["failures"]["connect"] >= 15
        assert cell["duration_s"] >= 0.15  # 10 ms each

    @pytest.mark.parametrize("load", [["-c", 3], ["--rate", 200]], ids=["closed", "open"])
    def test_with_r_a_server_may_restart(self, load):
        first = ScriptedServer(answering())
        process = subprocess.Popen([LOADGEN, "-q", "-k", "-r", "--duration", "3", "--json", "-", *map(str, load), first.url],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default_signals)
        with first:
            wait_until(lambda: first.connections, "a connection")
            time.sleep(0.3)
            first.stop_listening()
            first.hang_up()
            time.sleep(0.3)
        with ScriptedServer(answering(), port=first.port) as second:
            out, said = process.communicate(timeout=PATIENCE)
        assert second.connections > 0
        assert process.returncode == 1 and "aborted" not in said
        (cell,) = json.loads(out)["cells"]
        assert cell["failures"]["connect"] > 3 and cell["duration_s"] >= 2.9
        assert cell["failed"] < cell["complete"]


class TestReceive:
    @staticmethod
    def resetting(every):
        def script(peer):
            peer.request()
            if peer.number % every == every - 1:
                peer.reset()
            else:
                peer.send(OK)

        return script

    def test_a_reset_ends_the_run(self):
        with ScriptedServer(self.resetting(3)) as server, ScriptedServer(answering()) as other:
            done = loadgen("-n", 10, "-c", 1, server.url)
            assert done.returncode == 1
            assert done.stderr == (f"loadgen: {server.url}: connection reset by peer; run ended after 3 requests "
                                   "(-r goes on after such errors)\n")
            assert "Complete requests:      3\n" in done.stdout  # with the one that was reset
            done = loadgen("-n", 10, "-c", 1, server.url, other.url)
            assert done.returncode == 1 and other.connections == 0

    @pytest.mark.parametrize("threads", [1, 2])
    def test_with_r_it_goes_on(self, threads):
        with ScriptedServer(self.resetting(4)) as server:
            cell = one_cell("-n", 40, "-c", 2, "--threads", threads, "-r", server.url, status=1)
        assert (cell["complete"], cell["failed"], failures(cell)) == (40, 10, {"reset": 10})

    @pytest.mark.parametrize("first", [b"", OK], ids=["at once", "after an answer"])
    def test_a_server_that_resets_everything_needs_no_deep_stack(self, first):
        """Each request that ends at once begins the next one: 20000 of them must not nest."""
        def script(listener):
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    if first:
                        connection.sendall(first)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

        def small_stack():  # the threads of loadgen take theirs from this limit
            default_signals()
            resource.setrlimit(resource.RLIMIT_STACK, (STACK, STACK))

        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            thread = threading.Thread(target=script, args=(listener,), daemon=True)
            thread.start()
            try:
                done = subprocess.run([LOADGEN, "-n", "20000", "-c", "4", "-r", "-k", "-q", "--json", "-",
                                       f"127.0.0.1:{listener.getsockname()[1]}"],
                                      capture_output=True, text=True, timeout=100, preexec_fn=small_stack)
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join(PATIENCE)
        assert done.returncode in (0, 1, 3)
        assert all("of a CPU" in line for line in done.stderr.splitlines()), done.stderr  # it has every reason to be busy
        (cell,) = json.loads(done.stdout)["cells"]
        assert cell["complete"] == 20000 and cell["failures"]["connect"] == 0
        if not first:
            assert failures(cell) == {"reset": 20000}

    def test_a_reset_while_the_request_still_leaves(self, tmp_path):
        """The failed send takes the socket's error with it: recv alone would find no more than an end."""
        body = tmp_path / "body"
        body.write_bytes(b"x" * (32 << 20))

        def script(peer):
            peer.socket.recv(1000)
            time.sleep(0.1)
            peer.reset()

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 4, "-c", 2, "-r", "-p", body, server.url, status=1)
            done = loadgen("-n", 4, "-c", 2, "-p", body, server.url)
        assert (cell["complete"], failures(cell)) == (4, {"reset": 4})
        assert done.returncode == 1
        assert re.fullmatch(f"loadgen: {server.url}: connection reset by peer; run ended after (0 requests|1 request) "
                            r"\(-r goes on after such errors\)\n", done.stderr), done.stderr

    def test_a_close_while_the_request_still_leaves(self, tmp_path):
        body = tmp_path / "body"
        body.write_bytes(b"x" * (32 << 20))

        def script(peer):
            peer.socket.recv(1000)
            peer.socket.shutdown(socket.SHUT_WR)
            peer.socket.settimeout(1)
            while peer.socket.recv(1 << 20):
                pass

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 4, "-c", 2, "-p", body, server.url, status=1)
        assert (cell["complete"], failures(cell)) == (4, {"truncated": 4})

    @pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 2", OK[:OK.index(b"\r\n\r\n") + 2]], ids=["nothing", "a line", "no end"])
    def test_a_close_before_the_end_of_the_header(self, sent):
        def script(peer):
            peer.request()
            if sent:
                peer.send(sent)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 4, "-c", 2, server.url, status=1)
        assert (cell["complete"], cell["failed"], failures(cell)) == (4, 4, {"truncated": 4})


class TestLength:
    @staticmethod
    def growing():
        sizes = itertools.count(10)
        return answering(lambda request: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size := next(sizes)) + b"x" * size)

    def test_bodies_of_other_length_than_the_first(self):
        with ScriptedServer(self.growing()) as server:
            cell = one_cell("-n", 6, "-k", server.url, status=1)
        assert (cell["complete"], failures(cell), cell["document_length"]) == (6, {"length": 5}, 10)
        assert cell["bytes"]["body"] == sum(range(10, 16))

    def test_the_first_length_is_that_of_all_threads(self):
        with ScriptedServer(self.growing()) as server:
            cell = one_cell("-n", 30, "-c", 6, "-k", "--threads", 3, server.url, status=1)
        assert (cell["complete"], failures(cell)) == (30, {"length": 29})

    def test_with_l_any_length_is_right(self):
        with ScriptedServer(self.growing()) as server:
            assert one_cell("-n", 6, "-k", "-l", server.url)["failed"] == 0
            assert "Document Length:        Variable\n" in loadgen("-n", 2, "-l", server.url).stdout

    @pytest.mark.parametrize("answer", [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello",
    ], ids=["length", "no last chunk", "in a chunk"])
    def test_a_body_that_was_cut_short_fails_even_with_l(self, answer):
        def script(peer):
            peer.request()
            peer.send(answer)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 3, "-l", server.url, status=1)
        assert (cell["complete"], failures(cell)) == (3, {"truncated": 3})


class TestExceptions:
    @pytest.mark.parametrize("answer", [
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n",
    ], ids=["not http", "too much", "two lengths", "no chunk"])
    @pytest.mark.parametrize("keep", [[], ["-k"]], ids=["close", "keep"])
    def test_what_is_no_response_is_an_exception(self, answer, keep):
        with ScriptedServer(answering(answer)) as server:
            cell = one_cell("-n", 5, "-c", 2, *keep, server.url, status=1)
            assert server.connections == 5  # such a connection is not used again
        assert (cell["complete"], failures(cell)) == (5, {"malformed": 5})


class TestTimeout:
    @pytest.mark.parametrize("threads", [1, 2])
    def test_a_response_that_does_not_come_is_counted_with_its_age(self, threads):
        def script(peer):
            peer.request()
            if peer.number % 4 == 1:
                time.sleep(PATIENCE)
            peer.send(OK)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 12, "-c", 4, "-s", "1.5", "--threads", threads, server.url, status=1)
        assert (cell["complete"], failures(cell)) == (12, {"timeout": 3})
        assert cell["latency_ms"]["max"] >= 1500

    def test_each_request_has_its_own_time(self):
        def script(peer):
            peer.request()
            time.sleep(PATIENCE)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 4, "-c", 1, "-s", "0.3", server.url, status=1)
        assert (cell["complete"], failures(cell)) == (4, {"timeout": 4})
        assert cell["latency_ms"]["min"] >= 300
        assert cell["duration_s"] >= 1.2

    def test_a_response_that_trickles_times_out_too(self):
        def script(peer):
            peer.request()
            for byte in OK * 100:
                peer.send(bytes([byte]))
                time.sleep(0.05)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 1, "-s", "0.5", server.url.replace("http://", ""), status=1)
        assert failures(cell) == {"timeout": 1}
        assert cell["latency_ms"]["min"] >= 500

    def test_handshakes_that_are_never_answered_end_the_cell(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)  # and nobody accepts: the kernel drops the handshakes beyond the first ones
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            done = loadgen("-n", 30, "-c", 30, "-s", "0.7", url)
        assert done.returncode == 1
        assert re.fullmatch(f"loadgen: {url}: test aborted after 10 failed connects in a row \\(connection timed out\\); "
                            r"\d+ requests? completed\n", done.stderr)

    def test_the_report_names_them(self):
        def script(peer):
            peer.request()
            time.sleep(PATIENCE)

        with ScriptedServer(script) as server:
            done = loadgen("-n", 2, "-c", 2, "-s", "0.3", server.url)
        assert done.returncode == 1
        assert "Failed requests:        2\n   (Connect: 0, Receive: 0, Length: 0, Exceptions: 0)\nTimed out requests:     2\n" in done.stdout


class TestResponses:
    """What a server may do, and what must not count as a failure."""

    @pytest.mark.parametrize("answer,body", [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", 5),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, 5),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 0),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", 0),
        (OK, 5),
    ], ids=["chunked", "interim", "204", "304", "length"])
    def test_a_response_split_at_every_byte(self, answer, body):
        def script(peer):
            while peer.request():
                for byte in answer:
                    peer.send(bytes([byte]))
                    time.sleep(0.0005)  # a packet of its own

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", server.url)
            assert server.connections == 2
        assert (cell["complete"], cell["failed"], cell["document_length"]) == (6, 0, body)
        assert cell["bytes"]["received"] == 6 * len(answer)

    def test_a_body_that_lasts_until_the_close(self):
        def script(peer):
            peer.request()
            peer.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100000)

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 6, "-c", 2, "-k", server.url)
        assert (cell["complete"], cell["failed"], cell["document_length"], cell["keepalive_requests"]) == (6, 0, 100000, 0)

    def test_large_bodies_are_counted(self):
        size = 30 << 20
        with ScriptedServer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)) as server:
            cell = one_cell("-n", 6, "-c", 3, "-k", server.url)
        assert (cell["complete"], cell["failed"], cell["bytes"]["body"]) == (6, 0, 6 * size)

    def test_a_server_that_denies_keep_alive_is_connected_to_again(self):
        with ScriptedServer(answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", keep=False)) as server:
            cell = one_cell("-n", 10, "-c", 2, "-k", server.url)
            assert server.connections == 10
        assert (cell["complete"], cell["failed"], cell["keepalive_requests"]) == (10, 0, 0)

    @pytest.mark.parametrize("how", ["close", "reset", "at once"])
    def test_an_idle_connection_that_the_server_closed_is_replaced(self, how):
        def script(peer):
            for _ in range(3):  # and closes without having said so
                if not peer.request():
                    return
                peer.send(OK)
            if how != "at once" and peer.request():
                if how == "reset":
                    peer.reset()

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 30, "-c", 2, "-k", server.url)
            assert server.connections >= 10
        assert (cell["complete"], cell["failed"]) == (30, 0)

    def test_a_fresh_connection_that_closes_unanswered_is_a_failure(self):
        def script(peer):
            peer.request()

        with ScriptedServer(script) as server:
            assert one_cell("-n", 3, "-k", server.url, status=1)["failures"]["truncated"] == 3

    def test_an_early_answer_to_a_large_request_is_an_answer(self, tmp_path):
        body = tmp_path / "body"
        body.write_bytes(b"x" * (32 << 20))

        def script(peer):
            peer.socket.recv(1000)
            peer.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch")
            peer.socket.settimeout(1)
            try:  # read on a little, so that the answer is not lost in a reset
                while peer.socket.recv(1 << 20):
                    pass
            except TimeoutError:
                pass

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 3, "-p", body, server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"]) == (3, 0, 3)

    def test_an_answer_before_the_request_is_an_answer(self):
        def script(peer):
            peer.send(b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            peer.request()

        with ScriptedServer(script) as server:
            cell = one_cell("-n", 20, "-c", 4, server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"]) == (20, 0, 20)

    def test_non_2xx_is_counted_and_no_failure(self):
        with ScriptedServer(answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n.")) as server:
            cell = one_cell("-n", 4, "-k", server.url)
            done = loadgen("-n", 2, "-c", "1,2", server.url)
        assert (cell["complete"], cell["failed"], cell["non_2xx"]) == (4, 0, 4)
        assert "Non-2xx responses: 4\n" in done.stdout

    def test_the_table_adds_up_what_failed(self):
        with ScriptedServer(answering(b"nonsense\r\n\r\n")) as server:
            done = loadgen("-n", 3, "-c", "1,3", server.url)
        assert done.returncode == 1
        assert "\n\nFailed: malformed 6\n" in done.stdout

    def test_binary_in_a_header_does_not_reach_the_reports(self):
        with ScriptedServer(answering(b"HTTP/1.1 200 OK\r\nServer: a\xff\"b,c\r\nContent-Length: 0\r\n\r\n")) as server:
            result = loadgen_json("-n", 2, "-c", "1,2", server.url)
            done = loadgen("-n", 2, "-c", "1,2", "--csv", "-", server.url)
        assert [cell["server_software"] for cell in result["cells"]] == ['a?"b,c'] * 2
        assert [',"a?""b,c",closed,' in line for line in done.stdout.splitlines()] == [False, True, True]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("keep", [[], ["-k"]], ids=["close", "keep"])
def test_whatever_servers_do_the_books_balance(threads, keep):
    """Connections that misbehave at random: every request ends once, in one class."""
    chance = random.Random(7)

    def script(peer):
        while True:
            if not peer.request():
                return
            what = chance.randrange(12)
            if what == 0:
                time.sleep(PATIENCE)
            elif what == 1:
                peer.reset()
                return
            elif what == 2:
                return
            elif what == 3:
                peer.send(OK[:chance.randrange(len(OK))])
                return
            elif what == 4:
                peer.send(OK + b"more")
            elif what == 5:
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
            elif what == 6:
                peer.send(b"HTTP/1.1 404 No\r\nContent-Length: 6\r\n\r\nlonger")
            else:
                middle = chance.randrange(len(OK))
                peer.send(OK[:middle])
                time.sleep(chance.random() / 100)
                peer.send(OK[middle:])

    with ScriptedServer(script) as server:
        cell = one_cell("-n", 400, "-c", 20, "-s", "0.5", "-r", "--threads", threads, *keep, server.url, status=1)
    assert cell["complete"] == 400 and cell["unfinished"] == 0
    assert cell["failed"] == sum(cell["failures"].values()) - cell["failures"]["status"] < 400
    assert all(cell["failures"][name] > 0 for name in ("truncated", "length", "malformed", "timeout"))
    assert cell["failures"]["connect"] == 0
    assert 500 <= cell["latency_ms"]["max"]


BAD_HEADER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\rX: y\r\n\r\nhello"
REASONS = {
    "malformed": [(BAD_HEADER, r"Missing expected LF after header value"), (b"220 mail ESMTP\r\n", r"Expected HTTP/"),
                  (b"HTTP/2.0 200 OK\r\n\r\n", r"not HTTP/1|Invalid HTTP version"), (OK + b"!", "more came behind the end of the answer")],
    "truncated": [(b"", "closed without an answer"), (OK[:30], "closed within the header"), (OK[:-1], "closed within the body")],
}


class TestReasons:
    @pytest.mark.parametrize("name,answer,why", [(name, *case) for name, cases in REASONS.items() for case in cases])
    def test_of_an_answer(self, name, answer, why, tmp_path):
        file = tmp_path / "json"

        def script(peer):
            peer.request()
            if answer:
                peer.send(answer)

        with ScriptedServer(script) as server:
            done = loadgen("-n", 4, "-c", 2, "-v", 4, "--json", file, server.url)
        assert done.returncode == 1
        assert re.search(rf"^Failed: {name} 4 \(({why}).*\)$", done.stdout, re.M), done.stdout
        assert len(re.findall(rf"^LOG: request failed: {name} \(({why}).*\)$", done.stdout, re.M)) == 4
        (cell,) = json.loads(file.read_text())["cells"]
        assert re.match(why, cell["failure_reasons"].pop(name))
        assert set(cell["failure_reasons"].values()) == {None}

    def test_of_a_connection(self):
        with TestConnect.closing(3) as server:
            refused = one_cell("-q", "-n", 20, "-r", server.url, status=1)
        with ScriptedServer(TestReceive.resetting(2)) as server:
            reset = one_cell("-q", "-n", 4, "-r", server.url, status=1)
        assert refused["failure_reasons"]["connect"] == "Connection refused"
        assert reset["failure_reasons"]["reset"] == "Connection reset by peer"

    @pytest.mark.parametrize("answer,why", [(b"", "no answer in time"), (OK[:-1], "no whole answer in time")])
    def test_of_a_timeout(self, answer, why):
        def script(peer):
            peer.request()
            if answer:
                peer.send(answer)
            peer.request()

        with ScriptedServer(script) as server:
            cell = one_cell("-q", "-n", 2, "-s", 0.4, server.url, status=1)
        assert cell["failure_reasons"]["timeout"] == why

    def test_of_another_length_and_the_first_counts(self):
        with ScriptedServer(TestLength.growing()) as server:
            done = loadgen("-q", "-n", 6, "-k", server.url)
        assert "\nFailed: length 5 (11 bytes, and 10 in the first answer)\n" in done.stdout


class TestVerbosity:
    def test_levels(self):
        with ScriptedServer(answering(OK)) as server, ScriptedServer(answering(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")) as wrong:
            two = loadgen("-n", 1, "-v", 2, server.url).stdout
            three = loadgen("-n", 1, "-v", 3, server.url).stdout
            four = loadgen("-n", 1, "-v", 4, server.url).stdout
            bad = loadgen("-n", 1, "-v", 2, wrong.url).stdout
            data = loadgen("-n", 1, "-v", 2, "--json", "-", server.url)
        assert "INFO: GET header == \n---\nGET / HTTP/1.1\n" in two.replace("\r", "")
        assert "LOG: header received:\nHTTP/1.1 200 OK\n" in two.replace("\r", "") and "Response code" not in two
        assert "LOG: Response code = 200\n" in three and "packet" not in three
        assert f"LOG: http packet received({len(OK)}):\n" in four and "hello" in four
        assert "WARNING: Response code not 2xx (404)\n" in bad
        assert data.stdout.startswith("{") and "LOG: header received" in data.stderr
