"""Signals to the arbiter: a stop, more workers, fewer, others."""

import signal
import socket
import time

from gunicorn_script.scenario import BOOTED, FOR_EVER, LAST_KILL, LIVED, bye, scenario


def stop_idle(site, number):
    site.start("--workers", 2, workers=2)
    site.see("answer", site.get())
    port = site.port()
    site.signal(number)
    site.wait()
    with socket.socket() as peer:
        site.see("port", peer.connect_ex(("127.0.0.1", port)))


@scenario()
def term_stops_an_idle_server(site):
    stop_idle(site, signal.SIGTERM)


@scenario()
def int_stops_an_idle_server(site):
    stop_idle(site, signal.SIGINT)


@scenario()
def quit_stops_an_idle_server(site):
    stop_idle(site, signal.SIGQUIT)


@scenario()
def term_lets_a_request_end(site):
    site.start()
    peer = site.ask_and_wait("/?sleep=2")
    site.signal(signal.SIGTERM)
    site.see("answer", peer.answer())
    site.wait()


@scenario()
def term_twice(site):
    site.start()
    peer = site.ask_and_wait("/?sleep=2")
    site.tell(signal.SIGTERM)
    site.signal(signal.SIGTERM)
    site.see("answer", peer.answer())
    site.wait()


def stop_busy(site, number):
    site.start()
    peer = site.ask_and_wait(FOR_EVER)
    site.signal(number)
    site.see("answer", peer.answer())
    site.wait()


@scenario()
def int_cuts_a_request(site):
    stop_busy(site, signal.SIGINT)


@scenario()
def quit_cuts_a_request(site):
    stop_busy(site, signal.SIGQUIT)


@scenario(differs={"drain": {"second": ("reset", "200 close Hello, Anonymous"),
                             "third": ("reset", "200 close Hello, Anonymous")}})
def term_and_those_who_wait_in_the_backlog(site):
    site.start()
    first = site.ask_and_wait("/?sleep=3")
    second, third = site.ask(), site.ask()
    site.signal(signal.SIGTERM)
    for name, peer in ("first", first), ("second", second), ("third", third):
        site.see(name, peer.answer())
    site.wait()


@scenario(differs={"last-words": {"arbiter 1": ([], ["ERROR Worker (pid:PID) was sent SIGKILL! Perhaps out of memory?"])}},
          chance=[LAST_KILL])
def graceful_timeout_is_the_end_of_patience(site):
    site.start("--graceful-timeout", 1)
    peer = site.ask_and_wait(FOR_EVER)
    site.signal(signal.SIGTERM)
    site.see("answer", peer.answer())
    site.wait()


@scenario(differs={"hurry": {"ended at once": (False, True), "arbiter 1": ([], ["INFO Handling signal: int"]),
                             "workers": ([(BOOTED,)], [LIVED])}}, chance=[LAST_KILL])
def int_hurries_a_graceful_stop(site):
    site.start("--graceful-timeout", 3)
    peer = site.ask_and_wait(FOR_EVER)
    begin = time.monotonic()
    site.tell(signal.SIGTERM)
    site.signal(signal.SIGINT)
    site.see("answer", peer.answer())
    site.wait()
    site.see("ended at once", time.monotonic() - begin < 2.5)


@scenario()
def ttin_and_ttou(site):
    site.start()
    (oldest,) = site.workers(1)
    site.tell(signal.SIGTTIN)
    site.workers(2)
    site.tell(signal.SIGTTIN)
    site.workers(3)
    site.tell(signal.SIGTTOU)
    site.see("the oldest goes", oldest not in site.workers(2))
    site.tell(signal.SIGTTOU)
    site.workers(1)
    site.tell(signal.SIGTTOU)
    site.see("the last one stays", len(site.workers(1)))
    site.see("answer", site.get())
    bye(site)


@scenario()
def ttou_lets_a_request_end(site):
    site.start("--workers", 1)
    peer = site.ask_and_wait("/?sleep=2")
    site.tell(signal.SIGTTIN)
    site.workers(2)
    site.tell(signal.SIGTTOU)
    site.see("answer", peer.answer())
    site.workers(1)
    bye(site)


@scenario()
def hup_replaces_every_worker(site):
    site.start("--workers", 2, workers=2)
    site.tell(signal.SIGTTIN)
    old = site.workers(3)
    site.tell(signal.SIGHUP)
    site.ended(*old)
    site.see("as many as configured", len(site.workers(2)))
    site.see("answer", site.get())
    bye(site)


@scenario()
def hup_lets_a_request_end(site):
    site.start()
    (old,) = site.workers(1)
    peer = site.ask_and_wait("/?sleep=2")
    site.tell(signal.SIGHUP)
    site.workers(2)
    site.see("a new one serves", site.get())
    site.see("answer", peer.answer())
    site.ended(old)
    bye(site)


@scenario()
def winch_of_a_terminal_is_ignored(site):
    site.start()
    old = site.workers(1)
    site.tell(signal.SIGWINCH)
    site.see("answer", site.get())
    site.see("the same worker", site.workers(1) == old)
    bye(site)
