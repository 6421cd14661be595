"""Clients that take turns: each does what is its own, nobody is stopped or at work when it is over, and none is believed."""

import argparse
import os
import signal
import types

import pytest

import benches

from harness import load_clients, load_measure, machine, turns  # noqa: E402


class Liar(load_clients.Bare):
    """A client that counts each answer twice."""

    def told(self, text):
        return 2 * super().told(text)


class Hasty(load_clients.Bare):
    """A client that ends when it wants to, but for the last so many TIMES that it is asked."""

    def __init__(self, path, folder, hastily):
        super().__init__(path, folder)
        self.hastily, self.asked = hastily, []

    def command(self, load, server):
        self.asked.append(load.seconds)
        return super().command(load._replace(seconds=1) if len(self.asked) <= self.hastily else load, server)


class CountedServer(load_measure.CountedServer):
    """It keeps what it started."""

    processes = ()

    def start(self, sleep=0, **popen):
        server = super().start(sleep, **popen)
        self.processes = [*self.processes, server.process]
        return server


@pytest.fixture
def limit(tmp_path):
    return machine.build("limits/epoll_client.c", tmp_path)


@pytest.fixture
def server(tmp_path):
    return CountedServer("limits/epoll_server.c", tmp_path)


@pytest.fixture
def started(monkeypatch):
    """Clients that were started, as Running."""
    made = []

    class Running(load_measure.Running):
        def __init__(self, client, command):
            super().__init__(client, command)
            made.append(self)

    monkeypatch.setattr(load_measure, "Running", Running)
    return made


def costs(clients, peer, seconds):
    """Of one round."""
    return load_measure.Runs().costs("costs", clients, peer, 2, argparse.Namespace(rounds=1, seconds=seconds))


class TestClients:
    def test_one_that_counts_wrong_is_told(self, limit, server, tmp_path):
        with pytest.raises(machine.Failure, match=r"^bare epoll says that \d+ were answered, and the server \d+$"):
            costs([Liar(limit, tmp_path)], server, 0.1)

    def test_one_that_ends_early_is_given_more_time_and_told_in_the_end(self, limit, server, tmp_path):
        client = Hasty(limit, tmp_path, turns.ATTEMPTS)
        with pytest.raises(machine.Failure, match="^bare epoll ended early: "):
            costs([client], server, 0.7)
        assert len(client.asked) == turns.ATTEMPTS
        assert sorted(set(client.asked)) == client.asked

    def test_one_that_ended_early_once_is_measured(self, limit, server, tmp_path):
        client = Hasty(limit, tmp_path, 1)
        table = costs([client], server, 0.7)
        assert list(table) == ["bare epoll"] and len(table["bare epoll"]["rps"]) == 1
        assert len(client.asked) >= 2

    def test_one_that_dies_while_it_is_stopped_is_told_and_not_tried_again(self, limit, server, tmp_path):
        client, load = load_clients.Bare(limit, tmp_path), load_clients.Load(2, 60)
        with server.running() as running_server, \
                load_measure.Running(client, client.command(load, running_server)) as running:
            taker = turns.Taker(running, running_server, load)
            taker.begin()
            assert taker.turn(0.05).took >= 0.05
            os.kill(running.process.pid, signal.SIGKILL)
            with pytest.raises(machine.Failure, match="^bare epoll ended with -9: ") as told:
                taker.turn(0.05)
            assert not isinstance(told.value, turns.EndedEarly)

    def test_one_that_fails_while_others_have_their_turn_is_told(self, limit, server, tmp_path):
        class Fails(load_clients.Bare):
            def command(self, load, server):
                return ["sh", "-c", f"{super().command(load, server)[0]} -t 1 {server.port} >/dev/null; exit 5"]

        with pytest.raises(machine.Failure, match="^bare epoll ended with 5: "):
            costs([Fails(limit, tmp_path)], server, 0.7)

    @pytest.mark.parametrize("told, fits", [(1000, True), (1010, True), (984, True), (1011, False), (979, False)])
    def test_a_count_may_differ_by_what_is_under_way_and_one_percent(self, told, fits):
        client = types.SimpleNamespace(name="x", told=lambda text: told)
        server = types.SimpleNamespace(answered=lambda: 100)
        taker = turns.Taker(types.SimpleNamespace(client=client), server, load_clients.Load(5, 1, depth=2))
        server.answered = lambda: 1100
        runs = types.SimpleNamespace(ended=lambda running, seconds: "")
        if fits:
            taker.end(runs)
        else:
            with pytest.raises(machine.Failure, match=f"^x says that {told} were answered, and the server 1000$"):
                taker.end(runs)


class TestTurns:
    class Taker:
        def __init__(self, name, order, count=10):
            self.client, self.order, self.count = types.SimpleNamespace(name=name), order, count

        def turn(self, seconds):
            self.order.append(self.client.name)
            return turns.Turn(self.count, 2000 * self.count, seconds)

    @staticmethod
    def steal(monkeypatch, *percents):
        """The host takes so much in a cycle, the last of them in all that follow."""
        left = list(percents)
        monkeypatch.setattr(turns, "Stolen", lambda: types.SimpleNamespace(
            percent=lambda: left.pop(0) if len(left) > 1 else left[0]))

    def test_everybody_has_as_many_in_random_order_and_they_are_added_up(self, monkeypatch):
        self.steal(monkeypatch, 0)
        order = []
        table = turns.take("", [self.Taker(name, order) for name in "abcd"], argparse.Namespace(rounds=3, seconds=1.0))
        each = ["".join(order[at:at + 4]) for at in range(0, len(order), 4)]
        assert len(each) == 30
        assert {"".join(sorted(one)) for one in each} == {"abcd"} and len(set(each)) > 1
        assert list(table) == list("abcd")
        assert table["b"]["cpu_us"] == [2, 2, 2] and table["b"]["rps"] == pytest.approx([100, 100, 100])

    def test_one_without_an_answer_in_a_whole_round_is_told(self):
        with pytest.raises(machine.Failure, match="^b had no answer in 0.2 s$"):
            turns.take("", [self.Taker("a", []), self.Taker("b", [], 0)], argparse.Namespace(rounds=1, seconds=0.2))

    @pytest.mark.parametrize("percents, taken", [
        ([0], [1, 2, 3, 4]), ([2], [1, 2, 3, 4]), ([9, 0], [2, 3, 4, 5]), ([0, 9, 0, 9, 0], [1, 3, 5, 6]),
        ([5, 3, 4, 9, 9, 2.5], [6, 2, 3, 1])])
    def test_where_the_host_took_much_there_are_more_and_the_calmest_count(self, monkeypatch, percents, taken):
        self.steal(monkeypatch, *percents)
        taker, order = self.Taker("a", []), []
        monkeypatch.setattr(taker, "turn", lambda seconds: order.append(seconds) or turns.Turn(len(order)))
        assert [cycle[taker].count for cycle in turns.calmest([taker], 4, 0.1)] == taken
        assert len(order) == max(taken)

    @pytest.mark.parametrize("seconds, count", [(0.01, 1), (0.1, 1), (1, 10), (0.25, 2)])
    def test_turns_make_up_the_time(self, seconds, count):
        assert turns.turns_of(seconds) == (count, pytest.approx(seconds / count))


class TestEnd:
    """Of a block of clients that take turns: however it comes, nobody is left, at work or stopped."""

    def nobody_is_left(self, started, server):
        assert len(started) == len(server.processes) >= 2
        for process in [running.process for running in started] + list(server.processes):
            assert process.returncode is not None
            with pytest.raises(ProcessLookupError):
                os.kill(process.pid, 0)

    def test_when_all_went_well(self, started, limit, server, tmp_path):
        clients = [load_clients.Bare(limit, tmp_path), load_clients.Loadgen(benches.BIN / "loadgen", tmp_path)]
        table = costs(clients, server, 0.2)
        assert list(table) == ["bare epoll", "loadgen"]
        assert all(values[0] > 0 for row in table.values() for values in row.values())
        self.nobody_is_left(started, server)

    @pytest.mark.parametrize("error", [machine.Failure("enough"), KeyboardInterrupt()])
    def test_when_something_fails_in_a_turn(self, started, limit, server, tmp_path, monkeypatch, error):
        whole, taken = turns.Taker.turn, []

        def turn(taker, seconds):
            taken.append(taker)
            if len(taken) == 4:
                taker.go_on()
                raise error
            return whole(taker, seconds)

        monkeypatch.setattr(turns.Taker, "turn", turn)
        with pytest.raises(type(error)):
            costs([load_clients.Bare(limit, tmp_path) for _ in range(2)], server, 1)
        assert len(taken) == 4
        self.nobody_is_left(started, server)

    def test_when_the_interrupt_came_in_the_midst_of_a_wait(self, limit, server, tmp_path):
        client = load_clients.Bare(limit, tmp_path)
        with server.running() as answering, \
                load_measure.Running(client, client.command(load_clients.Load(2, 60), answering)) as running:
            running.process._waitpid_lock.acquire()  # as subprocess leaves it then
            answering.process._waitpid_lock.acquire()
        assert running.process.returncode == -signal.SIGKILL
        assert answering.process.returncode == -signal.SIGTERM

    def test_when_one_does_not_begin(self, started, limit, server, tmp_path):
        class Silent(load_clients.Bare):
            def command(self, load, server):
                return ["sh", "-c", "echo I would rather not; exit 3"]

        with pytest.raises(machine.Failure, match="^bare epoll sends nothing: I would rather not"):
            costs([load_clients.Bare(limit, tmp_path), Silent(limit, tmp_path)], server, 0.2)
        self.nobody_is_left(started, server)
