"""What prefork_server's processes share - settings, counters, the admin process - outlives each of them."""

import os
import signal
import time

from prefork import asleep, children_of, metric, send, start, workers
from servers import wait_until


def test_the_admin_process_is_replaced(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 0)
    (worker,) = workers(server, 1)
    port = server.admin_port()
    assert server.get("/healthz", port=port)[0] == 200

    (first,) = wait_until(lambda: [pid for pid in children_of(server.pid) if pid != worker], "the admin process")
    os.kill(first, signal.SIGKILL)
    server.wait_log(rf"admin process \(pid:{first}\) ended unasked")
    assert server.get("/healthz", port=port)[0] == 200
    assert workers(server, 1) == [worker]
    assert server.log().count("Booting worker") == 1


def test_settings_outlive_the_workers(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 0)
    port = server.admin_port()
    assert server.get("/settings", "PUT", body=b"sleep=0.25", port=port)[0] == 200
    (worker,) = workers(server, 1)
    os.kill(worker, signal.SIGKILL)
    server.wait_log("Booting worker", count=2)
    begin = time.monotonic()
    assert server.get()[0] == 200
    assert time.monotonic() - begin >= 0.25


def test_metrics_of_dead_workers_stay_counted(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 0.5)
    (worker,) = workers(server, 1)
    assert server.get("/?sleep=0")[0] == 200
    peer = send(server)
    asleep(server)
    os.kill(worker, signal.SIGKILL)
    peer.close()
    server.wait_log("Booting worker", count=2)
    assert metric(server, 'loopfork_responses_total{code="200"}') == 1
    assert metric(server, "loopfork_sleeping") == 0
    assert metric(server, "loopfork_requests_in_flight") == 0
    assert metric(server, "loopfork_workers") == 1
    assert metric(server, 'loopfork_worker_restarts_total{reason="crash"}') == 1


def test_computations_are_counted(start):
    server = start("--admin", "127.0.0.1:0", "--cpu", 600000, "--max-cpu", 600000)
    (worker,) = workers(server, 1)
    assert server.get("/?cpu=20&sleep=0.01")[0] == 200
    assert server.get("/?sleep=0")[0] == 200
    wait_until(lambda: metric(server, "loopfork_computing") == 0, "its end")
    assert metric(server, "loopfork_computations_total") == 1
    assert metric(server, "loopfork_computed_seconds_total") == 0.02
    peer = send(server)
    wait_until(lambda: metric(server, "loopfork_computing") == 1, "the computation")
    os.kill(worker, signal.SIGKILL)
    peer.close()
    wait_until(lambda: metric(server, "loopfork_computing") == 0, "a gauge without the dead worker")
    assert metric(server, "loopfork_computations_total") == 2
    assert metric(server, "loopfork_computed_seconds_total") == 0.02


def test_a_killed_worker_that_nobody_replaces_leaves_no_gauge_behind(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 60)
    (oldest,) = workers(server, 1)
    server.signal(signal.SIGTTIN)
    workers(server, 2)
    peers = [send(server), send(server)]
    asleep(server, 2)
    server.signal(signal.SIGTTOU)
    server.wait_log("Handling signal: ttou")
    os.kill(oldest, signal.SIGKILL)
    asleep(server, 1)
    assert metric(server, "loopfork_requests_in_flight") == 1
    assert metric(server, "loopfork_connections_open") == 1
    assert metric(server, "loopfork_connections_accepted_total") == 2
    assert server.log().count("Booting worker") == 2
    server.signal(signal.SIGINT)  # there is a long sleep to cut short
    assert server.wait() == 0
    for peer in peers:
        peer.close()


def test_a_worker_killed_together_with_the_admin_process_is_settled_too(start):
    server = start("--admin", "127.0.0.1:0", "--sleep", 60)
    (worker,) = workers(server, 1)
    (admin,) = wait_until(lambda: [pid for pid in children_of(server.pid) if pid != worker], "the admin process")
    peer = send(server)
    asleep(server)
    os.kill(server.pid, signal.SIGSTOP)
    os.kill(worker, signal.SIGKILL)
    os.kill(admin, signal.SIGKILL)
    os.kill(server.pid, signal.SIGCONT)
    server.wait_log("ended unasked")
    asleep(server, 0)
    peer.close()
