"""Another program by USR2, a daemon, another user, a service manager."""

import os
import select
import signal
import socket
import time

from gunicorn_script.scenario import bye, scenario
from servers import parent_of, wait_until


def upgrade(site, *options):
    """A server, then USR2 and its successor. Returns (the old arbiter, the new one)."""
    site.start("--pid", site.folder / "pid", *options)
    old = site.arbiters()[0]
    site.signal(signal.SIGUSR2)
    site.wait_log("Listening at", 2)
    new = site.arbiters()[1]
    site.workers(1, new)
    site.see_pid_files("with two", {old: "old", new: "new"})
    return old, new


def await_promotion(site):
    """Until it is logged, and the pid file has its new name: gunicorn does that a moment later."""
    site.wait_log("Master has been promoted.")
    wait_until(lambda: not (site.folder / "pid.2").exists() and (site.folder / "pid").exists(), "the pid file's new name")


@scenario()
def usr2_and_the_new_one_takes_over(site):
    old, new = upgrade(site)
    site.workers(1, old)
    site.see("both", [site.get() for _ in range(4)])
    site.signal(signal.SIGTERM, old)
    site.wait()
    await_promotion(site)
    site.see_pid_files("afterwards", {old: "old", new: "new"})
    site.see("the new one", site.get())
    site.tell(signal.SIGHUP, new)
    site.wait_log("Booting worker", 3)
    site.workers(1, new)
    site.signal(signal.SIGTERM, new)
    site.ended(new)
    site.see_pid_files("at the end", {old: "old", new: "new"})


def told(times):
    return {"other-arbiter": {"arbiter 1": ([], ["INFO The other arbiter (pid:PID) has ended; this one goes on"] * times)}}


@scenario(differs=told(2))
def usr2_and_back(site):
    old, new = upgrade(site)
    site.signal(signal.SIGTERM, new)
    site.ended(new)
    site.see_pid_files("afterwards", {old: "old", new: "new"})
    site.see("the old one", site.get())
    site.signal(signal.SIGUSR2, old)
    site.wait_log("Listening at", 3)
    third = site.arbiters()[2]
    site.workers(1, third)
    site.signal(signal.SIGTERM, third)
    site.ended(third)
    site.signal(signal.SIGTERM, old)
    site.wait()
    site.see_pid_files("at the end", {old: "old", new: "new"})


@scenario(differs=told(1))
def usr2_twice(site):
    old, new = upgrade(site)
    site.tell(signal.SIGUSR2, old)
    site.wait_log("USR2 signal ignored. Child exists.")
    site.tell(signal.SIGUSR2, new)
    site.wait_log("USR2 signal ignored. Parent exists.")
    site.signal(signal.SIGTERM, new)
    site.ended(new)
    site.signal(signal.SIGTERM, old)
    site.wait()


@scenario()
def usr2_and_a_killed_old_one(site):
    old, new = upgrade(site, "--timeout", 3)
    workers = site.workers(1, old)
    site.signal(signal.SIGKILL, old)
    site.process.wait()  # at once: gunicorn's new one takes a dead one that nobody has reaped for alive
    site.wait()
    site.ended(*workers)
    await_promotion(site)
    site.see("the new one", site.get())
    site.see_pid_files("afterwards", {old: "old", new: "new"})
    site.signal(signal.SIGTERM, new)
    site.ended(new)


@scenario()
def usr2_and_a_unix_socket(site):
    """Its file stays for as long as somebody listens."""
    path = site.folder / "socket"
    site.start(bind=f"unix:{path}")
    old = site.arbiters()[0]
    site.signal(signal.SIGUSR2)
    site.wait_log("Listening at", 2)
    new = site.arbiters()[1]
    site.workers(1, new)
    site.signal(signal.SIGTERM, old)
    site.wait()
    site.wait_log("Master has been promoted.")
    site.see("the new one", site.get())
    site.signal(signal.SIGTERM, new)
    site.ended(new)
    site.see("left", path.exists())


def start_in_background(site, workers=1):
    site.logs = [site.folder / "log"]
    site.start("--daemon", "--error-logfile", site.folder / "log", "--pid", site.folder / "pid", "--workers", workers,
               workers=workers)
    site.wait("status of the starter")
    return site.arbiters()[0]


@scenario()
def a_daemon(site):
    arbiter = start_in_background(site)
    site.see("its session is another", os.getsid(arbiter) != os.getsid(0))
    site.see("it leads no session", os.getsid(arbiter) != arbiter)
    site.see("parent", parent_of(arbiter) != site.process.pid)
    site.see("standard files", [os.readlink(f"/proc/{arbiter}/fd/{fd}") for fd in range(3)])
    site.see("folder", os.readlink(f"/proc/{arbiter}/cwd") == str(site.folder))
    site.see("umask", site.worker_status("Umask"))
    site.see("pid file", (site.folder / "pid").read_text() == f"{arbiter}\n")
    site.see("answer", site.get())
    site.signal(signal.SIGTERM, arbiter)
    site.ended(arbiter)
    site.see("left", (site.folder / "pid").exists())


@scenario(differs={"background": {"start": ("status 0, no word", "status 1, one line")}})
def a_daemon_that_cannot_start(site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.fails("start", "--daemon", "--error-logfile", site.folder / "log", "--bind", f"127.0.0.1:{taken.getsockname()[1]}")


@scenario()
def winch_of_a_daemon(site):
    arbiter = start_in_background(site, 2)
    old = site.workers(2)
    site.tell(signal.SIGWINCH)
    site.ended(*old)
    time.sleep(1.5)
    site.see("none comes", len(site.worker_pids()))
    site.tell(signal.SIGHUP)
    site.workers(2)
    site.see("answer", site.get())
    site.signal(signal.SIGTERM, arbiter)
    site.ended(arbiter)


@scenario()
def usr2_of_a_daemon(site):
    old = start_in_background(site)
    site.signal(signal.SIGUSR2, old)
    site.wait_log("Listening at", 2)
    new = site.arbiters()[1]
    site.workers(1, new)
    site.tell(signal.SIGWINCH, old)
    site.workers(0, old)
    site.see("the new one", site.get())
    site.signal(signal.SIGTERM, old)
    site.ended(old)
    site.wait_log("Master has been promoted.")
    site.signal(signal.SIGTERM, new)
    site.ended(new)


@scenario(root=True)
def another_user_and_group(site):
    site.start("--user", "nobody", "--group", "nogroup")
    for name in "Uid", "Gid", "Groups":
        site.see(name, site.worker_status(name).strip())
    site.see("the arbiter's", os.stat(f"/proc/{site.arbiters()[0]}").st_uid)
    site.see("answer", site.get())
    bye(site)


@scenario(root=True, differs={"own-group": {
    "Gid": ("0\t0\t0\t0", "65534\t65534\t65534\t65534"), "Groups": ("0", "65534")}})
def another_user_alone(site):
    site.start("--user", "nobody")
    for name in "Uid", "Gid", "Groups":
        site.see(name, site.worker_status(name))
    bye(site)


@scenario(differs={"one-line": {name: ("status 1, one line", "status 2, one line") for name in ("user", "group")}})
def users_that_there_are_not(site):
    site.fails("user", "--bind", "127.0.0.1:0", "--user", "no-such-user")
    site.fails("group", "--bind", "127.0.0.1:0", "--group", "no-such-group")


@scenario()
def sockets_of_the_service_manager(site):
    with socket.create_server(("127.0.0.1", 0)) as given:
        site.given_fds = (given.fileno(),)
        site.start(bind=None, shell=f'exec 3<&{given.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"')
        site.see("port", site.port() == given.getsockname()[1])
        site.see("answer", site.get())
        site.signal(signal.SIGTERM)
        site.wait()


@scenario(differs={
    "name": {"told": ("READY=1\nSTATUS=Gunicorn arbiter booted", "READY=1\nSTATUS=prefork_server arbiter booted")},
    "sd-notify": {"told at the stop": (None, "STOPPING=1")}})
def the_service_manager_is_told(site):
    path = site.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(1)
        site.start(env={"NOTIFY_SOCKET": str(path)})
        site.see("told", manager.recv(1000).decode())
        bye(site)
        readable, _, _ = select.select([manager], [], [], 0)
        site.see("told at the stop", manager.recv(1000).decode() if readable else None)
