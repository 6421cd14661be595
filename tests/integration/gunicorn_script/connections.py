"""What a client sees: one request a connection, keep-alive, limits, workers that are replaced after so many requests."""

import signal
import select
import socket
import time

from gunicorn_script.scenario import (BOOTED, CLASS_NAME, EXITED, FOR_EVER, LAST_KILL, LIVED, REQUEST, bye, killed,
                                      scenario)


@scenario()
def one_request_a_connection(site):
    site.start()
    for name, fields in ("plain", ""), ("keep-alive", "Connection: keep-alive\r\n"), ("close", "Connection: close\r\n"):
        peer = site.ask("/", fields)
        site.see(name, peer.answer())
        site.see(f"{name}: then", peer.end())
    bye(site)


@scenario()
def a_request_in_pieces(site):
    site.start()
    peer = site.connect()
    for piece in b"GET / HTTP/1.1\r", b"\nHost: lab\r\nContent-Length: 4\r\n\r\nab", b"cd":
        peer.send(piece)
        time.sleep(0.2)
    site.see("answer", peer.answer())
    bye(site)


@scenario()
def clients_that_leave(site):
    site.start()
    (worker,) = site.workers(1)
    for data in (b"", b"GET", REQUEST, b"POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 9\r\n\r\n1"):
        site.connect().send(data).close()
        peer = site.connect().send(data)
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()
    site.see("after", site.get())
    site.see("the same worker", site.workers(1) == [worker])
    bye(site)


@scenario(differs={"refusal-status": {"line": ("400 close", "414 close"), "fields": ("400 close", "431 close"),
                                      "field": ("400 close", "431 close")}})
def what_is_too_long(site):
    site.start("--limit-request-line", 200, "--limit-request-fields", 5, "--limit-request-field_size", 100)
    site.see("line", site.get("/" + "x" * 300))
    site.see("fields", site.get("/", "X: y\r\n" * 6))
    site.see("field", site.get("/", f"X: {'y' * 200}\r\n"))
    site.see("nonsense", site.connect().send(b"nonsense\r\n\r\n").answer())
    site.see("after", site.get("/" + "x" * 100, "X: y\r\n" * 4))
    bye(site)


@scenario()
def limits_of_0(site):
    """Means no limit."""
    site.start("--limit-request-line", 0, "--limit-request-field_size", 0)
    site.see("line", site.get("/" + "x" * 20000))
    site.see("field", site.get("/", f"X: {'y' * 20000}\r\n"))
    bye(site)


@scenario()
def max_requests(site):
    site.start("--max-requests", 2)
    (worker,) = site.workers(1)
    for count in range(1, 4):
        site.see(f"answer {count}", site.get())
    site.ended(worker)
    site.wait_log("Booting worker", 2)
    site.workers(1)
    bye(site)


@scenario(differs=CLASS_NAME)
def max_requests_of_threads(site):
    site.start("--max-requests", 3, "--threads", 2)
    (worker,) = site.workers(1)
    peer = site.connect()
    for count in range(1, 4):
        peer.send(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
        site.see(f"answer {count}", peer.answer())
    site.see("then", peer.end())
    site.ended(worker)
    site.workers(1)
    site.see("answer 4", site.get("/", "Connection: close\r\n"))
    bye(site)


def promise(part):
    return {"empty-promise": {part: ("200 keep-alive Hello, Anonymous", "200 close Hello, Anonymous")}}


@scenario(differs=CLASS_NAME)
def threads_and_keep_alive(site):
    site.start("--threads", 2, "--keep-alive", 1)
    peer = site.connect()
    site.see("first", peer.send(REQUEST).answer())
    site.see("second", peer.send(REQUEST).answer())
    site.see("1.0", site.connect().send(b"GET / HTTP/1.0\r\nHost: lab\r\n\r\n").answer())
    site.see("close", site.get("/", "Connection: close\r\n"))
    begin = time.monotonic()
    site.see("then", peer.end())
    site.see("not at once", time.monotonic() - begin > 0.5)
    bye(site)


@scenario()
def gthread_by_name(site):
    site.start("--worker-class", "gthread")
    peer = site.connect()
    site.see("first", peer.send(REQUEST).answer())
    site.see("second", peer.send(REQUEST).answer())
    peer.close()
    bye(site)


@scenario(differs=CLASS_NAME)
def keep_alive_0_of_threads(site):
    site.start("--threads", 2, "--keep-alive", 0)
    peer = site.ask()
    site.see("first", peer.answer())
    site.see("then", peer.end())
    bye(site)


@scenario(differs=CLASS_NAME)
def threads_serve_side_by_side(site):
    site.start("--threads", 2)
    long = site.ask_and_wait("/?sleep=3")
    site.see("meanwhile", site.get("/", "Connection: close\r\n"))
    site.see("first", "meanwhile" if not select.select([long.socket], [], [], 0)[0] else "long")
    site.see("long", long.answer())
    long.close()
    bye(site)


@scenario(differs=CLASS_NAME | promise("busy"))
def term_and_threads(site):
    """One asks, one waits between two requests."""
    site.start("--threads", 2, "--keep-alive", 2)
    parked = site.connect()
    site.see("parked: first", parked.send(REQUEST).answer())
    busy = site.ask_and_wait("/?sleep=2")
    site.tell(signal.SIGTERM)
    site.see("busy", busy.answer())
    site.see("busy: then", busy.end())
    site.see("parked: then", parked.end())
    site.wait()


@scenario(chance=[LAST_KILL], differs=CLASS_NAME | {"threads-and-quit": {"at once": (False, True)}})
def int_and_threads(site):
    site.start("--threads", 2, "--graceful-timeout", 3)
    peer = site.ask_and_wait(FOR_EVER)
    begin = time.monotonic()
    site.signal(signal.SIGINT)
    site.see("answer", peer.answer())
    site.wait()
    site.see("at once", time.monotonic() - begin < 2.5)


@scenario(differs=CLASS_NAME | promise("answer"))
def hup_and_threads(site):
    site.start("--threads", 2)
    old = site.workers(1)
    peer = site.ask_and_wait("/?sleep=2")
    site.tell(signal.SIGHUP)
    site.see("answer", peer.answer())
    peer.close()
    site.ended(*old)
    site.workers(1)
    site.see("after", site.get("/", "Connection: close\r\n"))
    bye(site)


@scenario(differs=CLASS_NAME | {"hung-thread": {"workers": ([LIVED], [
    (BOOTED, 'ERROR Thread N has been busy for N s with "GET /?sleep=6" from 127.0.0.1 (--timeout)', EXITED)])}})
def a_request_of_a_thread_longer_than_timeout(site):
    site.start("--threads", 2, "--timeout", 3)
    site.see("answer", site.get("/?sleep=6", "Connection: close\r\n"))
    bye(site)


@scenario(differs=CLASS_NAME | killed("SIGKILL"))
def a_stopped_worker_of_threads(site):
    site.start("--threads", 2, "--timeout", 3)
    (worker,) = site.workers(1)
    site.signal(signal.SIGSTOP, worker)
    site.ended(worker)
    site.wait_log("Booting worker", 2)
    site.workers(1)
    site.see("after", site.get("/", "Connection: close\r\n"))
    bye(site)


@scenario(differs=CLASS_NAME | promise("answer"))
def a_killed_arbiter_and_its_threads(site):
    site.start("--threads", 2)
    (worker,) = site.workers(1)
    peer = site.ask_and_wait("/?sleep=2")
    site.signal(signal.SIGKILL)
    site.see("answer", peer.answer())
    peer.close()
    site.ended(worker)
    site.wait()


@scenario(differs=CLASS_NAME)
def more_threads_than_connections(site):
    site.start("--threads", 2, "--worker-connections", 2)
    site.see("answer", site.get())
    bye(site)
