"""What loadgen says where something is not as it should be: whole lines, which name the cause and what helps."""

import re
import subprocess

from load import LOADGEN, OK, ScriptedServer, default_signals, free_port, loadgen


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
