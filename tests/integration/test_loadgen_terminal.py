"""loadgen on a terminal: one block of lines, redrawn in place, of which nothing remains."""

import re
import signal
import time

import pytest

from load import LOADGEN, OK, WELL, ScriptedServer, answering, loadgen
from terminal import Screen, Terminal

FACTS = [r"\d+%", r"\d+ s left", r"cell 1 of 1", r"http://127\.0\.0\.1:\d+/", r"c=2", r"\d+ rps \(\d+\.?\d* overall\)",
         r"p50 [\d.]+ ms", r"p99 [\d.]+ ms", r"0 errors", r"2 open", r"highest \d+ rps"]


def shows_all(text):
    return all(re.search(fact, text) for fact in FACTS)


@pytest.fixture
def server():
    def slow(_):
        time.sleep(0.01)
        return OK

    with ScriptedServer(answering(slow)) as server:
        yield server


def long_run(server):
    return [LOADGEN, "-k", "-c", 2, "--duration", 60, server.url]


def end(terminal):
    """Ends the run by SIGINT; all that the block was is gone then."""
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert terminal.screen.text() == ""


def test_the_block_says_what_happens(server):
    with Terminal(long_run(server)) as terminal:
        text = terminal.wait_for(shows_all, "a block with all facts")
        assert re.search(r"[▁▂▃▄▅▆▇█]{2,}  highest", text)
        assert 4 <= len(text.splitlines()) <= 5
        assert terminal.screen.wrapped == 0
        end(terminal)
        assert "\x1b[36m" in terminal.sent and terminal.screen.wrapped == 0


def test_time_left_and_bar(server):
    with Terminal([LOADGEN, "-k", "-c", "1,2", "--duration", 1, server.url]) as terminal:
        terminal.wait_for(lambda text: re.search(r"^█+░+ +\d+%  1 s left", text), "more than half of a bar")
        assert terminal.finish() in WELL
        assert terminal.screen.text() == ""
        shares = [int(share) for share in re.findall(r" (\d+)%", terminal.sent)]
        assert shares == sorted(shares) and shares[-1] >= 80


@pytest.mark.parametrize("columns,facts", [(40, FACTS), (20, [fact for fact in FACTS if "http" not in fact and "overall" not in fact])])
def test_a_narrow_terminal_has_more_lines(server, columns, facts):
    """What is wider than a line is cut off."""
    with Terminal(long_run(server), columns=columns) as terminal:
        text = terminal.wait_for(lambda text: all(re.search(fact, text) for fact in facts), "the facts")
        assert len(text.splitlines()) > 5
        end(terminal)
        assert terminal.screen.wrapped == 0


def test_a_low_terminal_has_fewer_lines(server):
    with Terminal(long_run(server), rows=3) as terminal:
        terminal.wait_for(lambda text: len(text.splitlines()) >= 2, "two lines")
        for _ in range(5):
            terminal.read()
            assert len(terminal.screen.lines) <= 3
        end(terminal)


def test_the_terminal_may_be_resized(server):
    """A real terminal wraps old lines when it becomes narrower: what is below the cursor is wiped, so that is no matter."""
    with Terminal(long_run(server)) as terminal:
        terminal.wait_for(shows_all, "a block")
        terminal.resize(30, 24)
        terminal.read()  # what was under way
        terminal.screen = Screen(30, 24)
        terminal.wait_for(lambda text: "2 open" in text, "a block of 30 columns")
        assert terminal.screen.wrapped == 0
        terminal.resize(80, 24)
        terminal.screen.columns = 80
        terminal.wait_for(lambda text: max(map(len, text.splitlines())) > 60, "a block of 80 columns again")
        end(terminal)


def test_ascii_where_the_locale_is_not_utf8(server):
    with Terminal(long_run(server), env={"LC_ALL": "C"}) as terminal:
        text = terminal.wait_for(shows_all, "a block")
        assert re.match(r"#*-+ ", text)
        end(terminal)
        assert terminal.sent.isascii()


def test_no_color(server):
    with Terminal(long_run(server), env={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for(shows_all, "a block")
        end(terminal)
        assert not re.search(r"\x1b\[\d*m", terminal.sent)


def test_errors_are_counted_and_red():
    with ScriptedServer(answering(lambda _: time.sleep(0.05) or OK.replace(b"200", b"500"))) as server, \
            Terminal(long_run(server)) as terminal:
        terminal.wait_for(lambda text: re.search(r"[1-9]\d* errors", text), "errors")
        assert re.search(r"\x1b\[31m\d+ errors?\x1b\[m", terminal.sent)
        end(terminal)


def test_a_sweep_names_its_cells(server):
    with Terminal([LOADGEN, "-k", "-n", 60, "-c", "2,3", "--repeat", 2, server.url]) as terminal:
        assert terminal.finish() in WELL
        assert terminal.screen.text() == ""
        seen = set(re.findall(r"cell (\d) of 2  repetition (\d) of 2", terminal.sent))
        assert seen == {("1", "1"), ("2", "1"), ("1", "2"), ("2", "2")}
        assert "c=2" in terminal.sent and "c=3" in terminal.sent


def test_an_open_loop_names_its_rate(server):
    with Terminal([LOADGEN, "-k", "--rate", 50, "--duration", 0.7, "--warmup", 0.7, server.url]) as terminal:
        assert terminal.finish() in WELL
        assert "rate=50" in terminal.sent and "warming up, 1 s left" in terminal.sent


@pytest.mark.parametrize("signals", [[signal.SIGINT, signal.SIGINT], [signal.SIGTERM],
                                     [signal.SIGTERM, signal.SIGTERM], [signal.SIGHUP]])
def test_nothing_remains_when_a_signal_ends_it(signals):
    with ScriptedServer(lambda peer: peer.request() and time.sleep(5)) as server, Terminal(long_run(server)) as terminal:
        terminal.wait_for(lambda text: "2 open" in text, "a block")
        for number in signals:
            terminal.process.send_signal(number)
            time.sleep(0.1)
        assert terminal.finish() in (130, 143, -signals[-1])
        assert terminal.screen.text() == ""


def test_it_says_that_it_waits_for_what_a_cell_left():
    silence = []

    def script(peer):
        while peer.request():
            if peer.number == 0:
                peer.send(OK)
            silence.append(1)

    with ScriptedServer(script) as server, Terminal([LOADGEN, "-c", "2,3", "--duration", 0.5, server.url]) as terminal:
        terminal.wait_for(lambda text: re.search(r"waiting for what the last cell left in the server's queue, \d+ s", text), "the wait")
        assert server.url in terminal.screen.text()
        end(terminal)


def test_a_complaint_stands_in_the_place_of_the_block(server):
    with Terminal([LOADGEN, "-k", "-n", 60, "-c", "2,3", server.url, "127.0.0.1:1"]) as terminal:
        assert terminal.finish() == 1
        lines = terminal.screen.text().splitlines()
        assert len(lines) == 1 and lines[0].startswith("loadgen: http://127.0.0.1:1/: connection refused")


@pytest.mark.parametrize("requests", [20, 300])
def test_of_ab_report_nothing_else_stands_on_the_screen(server, requests):
    """Standard output on the same terminal: neither "Completed" nor "..done", but ab's first and further lines, whole."""
    with Terminal([LOADGEN, "-k", "-c", 2, "-n", requests, server.url], stdout=None) as terminal:
        assert terminal.finish() in WELL
        lines = terminal.screen.text().split("\n")
        assert lines[:6] == [lines[0], "", "Benchmarking 127.0.0.1 (be patient)", "", "", "Server Software:        toy/1"]
        assert not re.search(r"Completed|Finished|\.\.|█", "\n".join(lines))
        assert "cell 1 of 1" in terminal.sent


class TestNoBlock:
    def test_when_standard_error_is_no_terminal(self, server):
        assert loadgen("-k", "-n", 60, "-c", "2,3", server.url).stderr == ""

    @pytest.mark.parametrize("option", ["-q", "-v2"])
    def test_with_quiet_and_with_verbosity(self, server, option):
        with Terminal([LOADGEN, option, "-k", "-n", 60, server.url]) as terminal:
            assert terminal.finish() in WELL
            assert terminal.sent == ""

    def test_lines_are_of_what_counts(self, server):
        said = loadgen("-k", "-c", 4, "-n", 200, "--warmup", 1, server.url).stderr.splitlines()
        assert [line for line in said if line.endswith(" requests")] == [
            "Completed 100 requests", "Completed 200 requests", "Finished 200 requests"]

    @pytest.mark.parametrize("term", ["dumb", ""])
    def test_on_a_terminal_without_a_cursor_ab_lines_come(self, server, term):
        with Terminal([LOADGEN, "-k", "-c", 10, "-n", 200, server.url], env={"TERM": term}) as terminal:
            assert terminal.finish() in WELL
            assert terminal.sent == "Completed 100 requests\r\nCompleted 200 requests\r\nFinished 200 requests\r\n"
