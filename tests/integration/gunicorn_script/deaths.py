"""Workers and arbiters that die, hang, or cannot live; requests that take too long."""

import resource
import signal
import time

from gunicorn_script.scenario import BOOTED, EXITED, FOR_EVER, LAST_KILL, LIVED, bye, exited, killed, scenario
from servers import parent_of


def signal_a_worker(site, number):
    """Behind a request of its own: whatever comes is the signal's doing."""
    site.start()
    (worker,) = site.workers(1)
    site.see("before", site.get())
    site.signal(number, worker)
    site.ended(worker)
    site.wait_log("Booting worker", 2)
    site.workers(1)
    site.see("after", site.get())
    bye(site)


@scenario(differs=killed("SIGKILL"))
def kill_of_an_idle_worker(site):
    signal_a_worker(site, signal.SIGKILL)


@scenario(differs=killed("SIGSEGV"))
def segv_of_an_idle_worker(site):
    signal_a_worker(site, signal.SIGSEGV)


@scenario(differs=exited(1))
def abrt_of_an_idle_worker(site):
    signal_a_worker(site, signal.SIGABRT)


@scenario()
def term_of_an_idle_worker(site):
    signal_a_worker(site, signal.SIGTERM)


@scenario()
def int_of_an_idle_worker(site):
    signal_a_worker(site, signal.SIGINT)


@scenario()
def quit_of_an_idle_worker(site):
    signal_a_worker(site, signal.SIGQUIT)


@scenario(differs=killed("SIGKILL"))
def kill_of_a_busy_worker(site):
    site.start("--workers", 2, workers=2)
    peer = site.ask_and_wait(FOR_EVER)
    for worker in site.workers(2):
        if site.serves(worker, peer):
            site.signal(signal.SIGKILL, worker)
    site.see("answer", peer.answer())
    site.wait_log("Booting worker", 3)
    site.workers(2)
    site.see("after", site.get())
    bye(site)


@scenario()
def term_of_a_busy_worker(site):
    site.start()
    (worker,) = site.workers(1)
    peer = site.ask_and_wait("/?sleep=2")
    site.signal(signal.SIGTERM, worker)
    site.see("answer", peer.answer())
    site.wait_log("Booting worker", 2)
    site.workers(1)
    bye(site)


@scenario(differs={"foreign-signals": {
    "arbiter 1": (["WARNING Worker with pid PID was terminated due to signal 1",
                   "WARNING Worker with pid PID was terminated due to signal 12"], []),
    "workers": ([(BOOTED,), (BOOTED,)], []), "the same worker": (False, True)}})
def the_arbiters_signals_sent_to_a_worker(site):
    """As a careless kill of the process group does."""
    site.start()
    (worker,) = site.workers(1)
    for number in signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH, signal.SIGHUP:
        site.signal(number, worker)
    time.sleep(0.5)
    (second,) = site.workers(1)
    site.signal(signal.SIGUSR2, second)
    time.sleep(0.5)
    site.see("the same worker", site.workers(1) == [worker])
    site.see("after", site.get())
    bye(site)


@scenario(differs={"end-of-a-worker": {"arbiter 1": (["WARNING Worker with pid PID was terminated due to signal 9"] * 5,
                                                     ["ERROR Worker (pid:PID) was sent SIGKILL! Perhaps out of memory?"] * 5)}})
def workers_that_die_as_they_start(site):
    site.start()
    for count in range(1, 6):
        site.wait_log("Booting worker", count)
        (worker,) = site.workers(1)
        site.signal(signal.SIGKILL, worker)
        site.ended(worker)
    site.wait_log("Booting worker", 6)
    site.workers(1)
    site.see("after", site.get())
    bye(site)


@scenario(differs={"boot-error": {
    "workers": ([(BOOTED, "ERROR Exception in worker process", EXITED)],
                [(BOOTED, "ERROR Worker cannot begin: Too many open files", EXITED)]),
    "arbiter 1": ([], ["ERROR Worker (pid:PID) exited with code 3"]), "output": (["RuntimeError: no more"], [])}})
def workers_that_cannot_boot(site):
    """The first one can; its successor ends the server."""
    site.allow_boot(True)
    site.start()
    (worker,) = site.workers(1)
    site.see("before", site.get())
    site.allow_boot(False)
    site.signal(signal.SIGTERM, worker)
    site.wait()


@scenario(differs={"out-of-descriptors": {
    "workers": ([(BOOTED, "ERROR Exception in worker process", EXITED), LIVED], [
        (BOOTED, "ERROR Cannot accept: Too many open files; trying again every 100 ms (raise `ulimit -n`?)", EXITED)]),
    "output": (["OSError: [Errno 24] Too many open files"], []), "the same worker": (False, True)}})
def a_worker_without_descriptors(site):
    site.start()
    (worker,) = site.workers(1)
    site.see("before", site.get())
    limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, limits[1]))
    peer = site.ask()
    site.wait_log("Exception in worker process|Cannot accept")
    if parent_of(worker):
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
    site.see("answer", peer.answer())
    site.see("the same worker", site.workers(1) == [worker])
    bye(site)


@scenario()
def a_stopped_arbiter(site):
    """Its workers have nothing to do with that."""
    site.start("--timeout", 3)
    workers = site.workers(1)
    site.signal(signal.SIGSTOP)
    time.sleep(5)
    site.see("meanwhile", site.get())
    site.signal(signal.SIGCONT)
    time.sleep(1.5)
    site.see("the same worker", site.workers(1) == workers)
    bye(site)


@scenario()
def a_killed_arbiter_and_its_idle_workers(site):
    site.start("--timeout", 3, "--workers", 2, workers=2)
    workers = site.workers(2)
    site.signal(signal.SIGKILL)
    site.ended(*workers)
    site.wait()


@scenario()
def a_killed_arbiter_and_its_busy_worker(site):
    site.start()
    (worker,) = site.workers(1)
    peer = site.ask_and_wait("/?sleep=2")
    site.signal(signal.SIGKILL)
    site.see("answer", peer.answer())
    site.ended(worker)
    site.wait()


@scenario(chance=[LAST_KILL], differs={**exited(1), "ended-requests": {
    "workers": ([LIVED], [(BOOTED, 'ERROR Worker (pid:PID) was busy for N s with "GET /?sleep=50 HTTP/1.1" from 127.0.0.1: '
                                   "ended by --timeout, answered 504", EXITED)]),
    "answer": ("closed after 0 bytes", "504 close")}})
def a_request_longer_than_timeout(site):
    site.start("--timeout", 3)
    site.see("answer", site.get(FOR_EVER))
    site.wait_log("Booting worker", 2)
    site.workers(1)
    site.see("after", site.get())
    bye(site)


@scenario(differs=killed("SIGKILL"))
def a_stopped_worker(site):
    site.start("--timeout", 3)
    (worker,) = site.workers(1)
    site.signal(signal.SIGSTOP, worker)
    site.ended(worker)
    site.wait_log("Booting worker", 2)
    site.workers(1)
    site.see("after", site.get())
    bye(site)


@scenario()
def timeout_0(site):
    site.start("--timeout", 0)
    site.see("answer", site.get("/?sleep=2.5"))
    bye(site)


@scenario()
def requests_shorter_than_timeout(site):
    site.start("--timeout", 4)
    for count in range(5):
        site.see(f"answer {count}", site.get("/?sleep=2"))
    bye(site)


def slow_client(line):
    return {"slow-clients": {"arbiter 1": (["CRITICAL WORKER TIMEOUT (pid:PID)"], []),
                             "workers": ([LIVED, LIVED], [(BOOTED, line, EXITED)]),
                             "answer": ("closed after 0 bytes", "408 close")}}


@scenario(chance=[LAST_KILL], differs=slow_client(
    'WARNING Request from 127.0.0.1 timed out after N s: 18 bytes came, "GET / HTTP/1.1\\x0d\\x0aHo"'))
def a_header_that_does_not_come(site):
    site.start("--timeout", 3, *site.own("--header-timeout", 1))
    site.see("answer", site.connect().send(b"GET / HTTP/1.1\r\nHo").answer())
    site.see("after", site.get())
    bye(site)


@scenario(chance=[LAST_KILL], differs=slow_client(
    'WARNING Body of "GET / HTTP/1.1" from 127.0.0.1 timed out after N s: 47 bytes came '
    "(--body-timeout, --min-rate, --timeout)"))
def a_body_that_does_not_come(site):
    site.start("--timeout", 3, *site.own("--body-timeout", 1))
    peer = site.connect().send(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
    site.see("answer", peer.answer())
    site.see("after", site.get())
    bye(site)
