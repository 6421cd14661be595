"""loadgen's requests: bodies from files, whole and in chunks, and lists of requests (--urls)."""

import json
import re
import socket
import threading

import pytest

from load import OK, ScriptedServer, answering, loadgen, loadgen_json, one_cell

CHUNK = 65536


def chunks(body):
    """BODY as it goes on the wire."""
    parts = [body[at:at + CHUNK] for at in range(0, len(body), CHUNK)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def body_of(size):
    return bytes(range(251)) * (size // 251) + b"x" * (size % 251)


class Recorder:
    """A script that takes requests of any framing and keeps them, apart into head and body."""

    def __init__(self):
        self.seen = []
        self.lock = threading.Lock()

    def __call__(self, peer):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = peer.socket.recv(1 << 20)
                if not more:
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            if b"Transfer-Encoding: chunked" in head:
                body, data = self.read_chunks(peer, data)
            else:
                body, data = self.read(peer, data, int(length.group(1)) if length else 0)
            with self.lock:
                self.seen.append((head, body))
            peer.send(OK if not head.startswith(b"HEAD") else OK[:-5])

    @staticmethod
    def read(peer, data, size):
        """Returns the next SIZE bytes of the connection, of which DATA has come, and what follows them."""
        parts, have = [data], len(data)
        while have < size:
            more = peer.socket.recv(1 << 20)
            assert more, "the body was cut short"
            parts.append(more)
            have += len(more)
        data = b"".join(parts)
        return data[:size], data[size:]

    def read_chunks(self, peer, data):
        """Returns the next body with its framing, and what follows it."""
        wire = []
        while True:
            while b"\r\n" not in data:
                data += peer.socket.recv(1 << 20)
            line, _, data = data.partition(b"\r\n")
            chunk, data = self.read(peer, data, int(line, 16) + 2)
            wire += [line, b"\r\n", chunk]
            if int(line, 16) == 0:
                return b"".join(wire), data


def lines(head):
    return head.decode().split("\r\n")


class TestBodies:
    @pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK, 1000003])
    @pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
    @pytest.mark.parametrize("depth", [1, 3])
    def test_a_body_arrives_whole(self, size, chunked, depth, tmp_path):
        body = body_of(size)
        (tmp_path / "body").write_bytes(body)
        recorder = Recorder()
        with ScriptedServer(recorder) as server:
            cell = one_cell("-n", 12, "-c", 2, "-k", "--threads", 2, "--pipeline", depth, "-p", tmp_path / "body",
                            *(["--chunked"] if chunked else []), server.url)
        assert (cell["complete"], cell["failed"]) == (12, 0)
        wire = chunks(body) if chunked else body
        assert len(recorder.seen) == 12
        for head, seen in recorder.seen:
            assert seen == wire
            assert (f"Content-Length: {size}" in lines(head)) == (not chunked)
            assert ("Transfer-Encoding: chunked" in lines(head)) == chunked
        assert cell["bytes"]["sent"] == sum(len(head) + 4 + len(seen) for head, seen in recorder.seen)

    @pytest.mark.parametrize("chunked", [[], ["--chunked"]], ids=["length", "chunked"])
    def test_a_file_that_gets_shorter_ends_the_run(self, chunked, tmp_path):
        path = tmp_path / "body"
        path.write_bytes(b"x" * (8 << 20))

        def script(peer):
            peer.socket.recv(1000)
            with path.open("r+b") as file:
                file.truncate(1000)
            while peer.socket.recv(1 << 20):
                pass

        with ScriptedServer(script) as server:
            done = loadgen("-n", 2, "-p", path, *chunked, server.url)
        assert done.returncode == 1
        assert done.stderr == f"loadgen: {server.url}: cannot read the request's body any more: input/output error\n"

    def test_time_is_up_in_the_midst_of_bodies_that_leave_without_a_pause(self, tmp_path):
        def script(peer):
            while peer.socket.recv(1 << 20, socket.MSG_TRUNC):
                pass

        with (tmp_path / "body").open("wb") as file:
            file.truncate(8 << 30)
        with ScriptedServer(script) as server:
            cell = one_cell("-c", 200, "--duration", 0.5, "-p", tmp_path / "body", server.url, status=1)
        assert (cell["complete"], cell["unfinished"]) == (0, 200)
        assert cell["duration_s"] < 5  # while each connection was served until its socket was full, on two CPUs: 7

    def test_a_body_in_a_pipe_is_refused(self, tmp_path):
        done = loadgen("-p", "/dev/null", "http://127.0.0.1:1/")
        assert (done.returncode, done.stderr) == (
            1, "loadgen: cannot read the body from /dev/null: it must be a regular file, for each request reads it anew\n")


class TestUrls:
    @staticmethod
    def run(tmp_path, text, *arguments, keep=("-k",)):
        """Loads a recorder with the lines of TEXT, 3 times each. Returns the cell and what was seen."""
        path = tmp_path / "urls.txt"
        path.write_text(text)
        count = sum(1 for line in text.splitlines() if line.strip() and not line.startswith("#"))
        recorder = Recorder()
        with ScriptedServer(recorder) as server:
            cell = one_cell("-n", 3 * count, *keep, "--urls", path, *arguments, server.url)
        assert (cell["complete"], cell["failed"]) == (3 * count, 0)
        return cell, recorder.seen

    def test_lines_are_sent_in_turn(self, tmp_path):
        (tmp_path / "small").write_bytes(b"small")
        large = body_of(200000)
        (tmp_path / "large").write_bytes(large)
        cell, seen = self.run(tmp_path, "# what the shop gets\n"
                                        "/list?page=1\n"
                                        "\n"
                                        "HEAD /list\tAccept: text/html\n"
                                        f"PUT /small\t@{tmp_path}/small\tContent-Type: text/csv\n"
                                        f"/large\t@{tmp_path}/large\n"
                                        "POST /form\tX-A: 1\tX-A: 2\tbody=a=b&c=d\n"
                                        + json.dumps({"method": "DELETE", "target": "/json", "headers": {"X-B": ["1", "2"]},
                                                      "body": "a\tb"}) + "\n",
                              "-H", "X-A: all", "-C", "k=v", "-A", "user:pw")
        assert cell["document_path"] == f"/list?page=1 and 5 more of {tmp_path}/urls.txt"
        assert [lines(head)[0] for head, _ in seen] == [
            "GET /list?page=1 HTTP/1.1", "HEAD /list HTTP/1.1", "PUT /small HTTP/1.1", "POST /large HTTP/1.1",
            "POST /form HTTP/1.1", "DELETE /json HTTP/1.1"] * 3
        assert [body for _, body in seen] == [b"", b"", b"small", large, b"a=b&c=d", b"a\tb"] * 3
        for head, _ in seen:
            assert "Cookie: k=v" in lines(head) and "Authorization: Basic dXNlcjpwdw==" in lines(head)
        assert [[line for line in lines(head) if line.startswith("X-")] for head, _ in seen[:6]] == [
            ["X-A: all"], ["X-A: all"], ["X-A: all"], ["X-A: all"], ["X-A: 1", "X-A: 2"], ["X-A: all", "X-B: 1", "X-B: 2"]]
        assert "Content-Type: text/csv" in lines(seen[2][0]) and "Content-Type: text/plain" not in lines(seen[2][0])
        assert "Accept: text/html" in lines(seen[1][0])

    def test_answers_of_different_length_are_right_where_requests_differ(self, tmp_path):
        def answer(request):
            size = int(request.split()[1][1:])
            return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size

        (tmp_path / "urls").write_text("/1\n/20\n/300000\n")
        with ScriptedServer(answering(answer)) as server:
            cell = one_cell("-n", 30, "-c", 2, "-k", "--urls", tmp_path / "urls", server.url)
        assert (cell["complete"], cell["failed"], cell["bytes"]["body"]) == (30, 0, 10 * 300021)

    def test_all_threads_and_depths_send_all(self, tmp_path):
        _, seen = self.run(tmp_path, "".join(f"/{i}\n" for i in range(20)), "-c", 4, "--threads", 2, "--pipeline", 2)
        paths = [lines(head)[0].split()[1] for head, _ in seen]
        assert set(paths) == {f"/{i}" for i in range(20)}

    def test_the_sleep_is_added_to_each(self, tmp_path):
        _, seen = self.run(tmp_path, "/a\n/b?c=d\n", "--sleep", 0.25, keep=[])
        assert [lines(head)[0] for head, _ in seen] == ["GET /a?sleep=0.25 HTTP/1.1", "GET /b?c=d&sleep=0.25 HTTP/1.1"] * 3

    def test_chunked_is_for_each_body(self, tmp_path):
        _, seen = self.run(tmp_path, "/a\tbody=xyz\n/b\n", "--chunked")
        assert [body for _, body in seen] == [b"3\r\nxyz\r\n0\r\n\r\n", b""] * 3

    def test_v_shows_the_first_of_them(self, tmp_path):
        (tmp_path / "urls").write_text("PUT /x\tbody=abc\n/y\n")
        with ScriptedServer(answering()) as server:
            done = loadgen("-n", 2, "-v", 2, "--urls", tmp_path / "urls", server.url)
        assert "INFO: PUT header == \n---\nPUT /x HTTP/1.1\n" in done.stdout.replace("\r", "")
        assert "abc" not in done.stdout and "Total body sent:" in done.stdout

    def test_urls_name_the_server(self, tmp_path):
        with ScriptedServer(answering()) as server:
            (tmp_path / "urls").write_text(f"{server.url}x\n/y\nDELETE {server.url}z\n")
            cell = one_cell("-n", 3, "--urls", tmp_path / "urls")
        assert (cell["target"], cell["complete"]) == (server.url, 3)

    def test_several_servers_get_the_same_paths(self, tmp_path):
        (tmp_path / "urls").write_text("/x\n/y\n")
        first, second = Recorder(), Recorder()
        with ScriptedServer(first) as a, ScriptedServer(second) as b:
            cells = loadgen_json("-n", 4, "--urls", tmp_path / "urls", a.url, b.url)["cells"]
        assert [cell["complete"] for cell in cells] == [4, 4]
        for recorder in first, second:
            assert [lines(head)[0].split()[1] for head, _ in recorder.seen] == ["/x", "/y"] * 2

    @pytest.mark.parametrize("text,message,status", [
        ("/\n\nGET\n", "urls:3: the target is missing, as in GET /x", 2),
        ("/\n/\ta=b\n", 'urls:2: "a=b": a header line is a name, a colon and a value, as in "Accept: text/html"', 2),
        ("/\t@none\n", "urls:1: cannot read the body from none: No such file or directory", 1),
        ("/\t@/dev/null\n", "urls:1: cannot read the body from /dev/null: it must be a regular file, for each request reads it "
         "anew", 1),
        ("", "urls: there is no request in it; a line is one, as in GET /", 2),
        (None, "cannot read urls: No such file or directory", 1),
        ("http://127.0.0.1:1/x\n", "urls names the server; leave it out there, or on the command line", 2),
    ])
    def test_a_mistake_is_one_clear_line(self, text, message, status, tmp_path):
        if text is not None:
            (tmp_path / "urls").write_text(text)
        done = loadgen("--urls", "urls", "http://127.0.0.1:1/", cwd=tmp_path)
        assert (done.returncode, done.stderr, done.stdout) == (status, f"loadgen: {message}\n", "")

    @pytest.mark.parametrize("arguments,message", [
        (["-p", "urls"], "Cannot mix --urls and -p: a body stands in its line, as in /x<tab>@FILE"),
        (["-u", "urls"], "Cannot mix --urls and -u: a body stands in its line, as in /x<tab>@FILE"),
        (["127.0.0.1:1/base"], "127.0.0.1:1/base: the paths come from urls; give the server alone"),
    ])
    def test_what_goes_against_it_is_refused(self, arguments, message, tmp_path):
        (tmp_path / "urls").write_text("/x\n")
        done = loadgen("--urls", "urls", *arguments, cwd=tmp_path)
        assert (done.returncode, done.stderr, done.stdout) == (2, f"loadgen: {message}\n", "")

    def test_head_has_no_body(self, tmp_path):
        (tmp_path / "large").write_bytes(b"x" * 70000)
        for body in ("body=x", "@large"):
            (tmp_path / "urls").write_text(f"/x\nPOST /y\t{body}\n/z\t{body}\n")
            done = loadgen("-i", "--urls", "urls", "127.0.0.1:1", cwd=tmp_path)
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr == "loadgen: Cannot mix -i and the body of /z in urls: HEAD has no body\n"
        recorder = Recorder()
        (tmp_path / "urls").write_text("/x\nPOST /y\tbody=abc\n")  # what a line says itself counts
        with ScriptedServer(recorder) as server:
            one_cell("-i", "-n", 2, "--urls", tmp_path / "urls", server.url)
        assert [(lines(head)[0].split()[0], body) for head, body in recorder.seen] == [("HEAD", b""), ("POST", b"abc")]
