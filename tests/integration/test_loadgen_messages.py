"""What loadgen says where something is not as it should be: whole lines, which name the cause and what helps."""

import json
import os
import re
import subprocess

import pytest

from load import LOADGEN, OK, ScriptedServer, answering, default_signals, free_port, loadgen, one_cell


def on_one_terminal(*arguments):
    """Runs loadgen with both streams in one file, as 2>&1 has them; returns all that it said."""
    done = subprocess.run([LOADGEN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, preexec_fn=default_signals, check=False)
    return done.stdout


class TestTheLineOfTheBanner:
    def test_an_error_has_a_line_of_its_own(self):
        port = free_port()
        said = on_one_terminal("-q", f"127.0.0.1:{port}")
        assert said.endswith("\nBenchmarking 127.0.0.1 (be patient)...\n"
                             f"loadgen: http://127.0.0.1:{port}/: connection refused; is the server running?\n")

    def test_a_run_without_any_answer(self):
        with ScriptedServer(lambda peer: peer.request() and peer.request()) as server:
            said = on_one_terminal("-q", "--duration", 0.2, server.url)
        assert "(be patient)...\nloadgen: " in said and "done\n" not in said

    def test_without_an_error_it_ends_as_in_ab(self):
        with ScriptedServer(lambda peer: peer.request() and peer.send(OK)) as server:
            said = on_one_terminal("-q", "-n", 1, server.url)
        assert "(be patient).....done\n\n\nServer Software:" in said


def test_one_is_not_many():
    def script(peer):
        peer.request()
        if peer.number == 0:
            peer.reset()
        else:
            peer.send(OK)

    with ScriptedServer(script) as server:
        done = loadgen("-n", 10, server.url)
    assert re.search(r"; run ended after 1 request \(", done.stderr), done.stderr


@pytest.mark.parametrize("option", ["-p", "-u", "--urls", "-X", "-f", "-Z", "-E"])
def test_an_empty_value_is_shown_as_one(option):
    done = loadgen(option, "", "127.0.0.1:1")
    assert (done.returncode, done.stderr, done.stdout) == (2, f'loadgen: {option} "": must not be empty\n', "")


class TestFiles:
    @pytest.mark.parametrize("name", ["-", "pipe"])
    def test_a_body_is_in_a_regular_file(self, name, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        done = loadgen("-p", name, "127.0.0.1:1", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == (f"loadgen: cannot read the body from {name}: it must be a regular file, for each request reads "
                               "it anew\n")

    def test_a_file_may_be_called_minus(self, tmp_path):
        (tmp_path / "-").write_text("some body")
        with ScriptedServer(answering()) as server:
            cell = one_cell("-n", 2, "-p", "-", server.url, cwd=tmp_path)
        assert cell["complete"] == 2

    def test_requests_come_from_standard_input_too(self):
        with ScriptedServer(answering()) as server:
            done = subprocess.run([LOADGEN, "-n", "2", "--urls", "-", "--json", "-", server.url], input="/x\n/y\n", text=True,
                                  capture_output=True, timeout=60, preexec_fn=default_signals, check=False)
        assert json.loads(done.stdout)["cells"][0]["complete"] == 2, done.stderr

    def test_standard_input_that_is_empty(self):
        done = loadgen("--urls", "-", "127.0.0.1:1")
        assert (done.returncode, done.stderr) == (2, "loadgen: -: there is no request in it; a line is one, as in GET /\n")


class TestUrls:
    def test_one_that_is_empty(self):
        done = loadgen("")
        assert (done.returncode, done.stderr) == (2, 'loadgen: "": the URL has no host; use one like http://127.0.0.1:8088/\n')

    @pytest.mark.parametrize("url", ["http:127.0.0.1:9701", "http:/127.0.0.1:9701/", "https:127.0.0.1"])
    def test_one_without_its_slashes(self, url):
        done = loadgen(url)
        assert (done.returncode, done.stderr) == (
            2, f"loadgen: {url}: two slashes must follow the scheme, as in http://127.0.0.1:8088/\n")
