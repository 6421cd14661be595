"""Pid files, addresses, the configuration and starts that are refused."""

import re
import signal
import socket
import stat

from gunicorn_script.scenario import BOOTED, EXITED, LIVED, bye, scenario


STARTED = (["INFO Starting NAME VERSION"], [])


@scenario(differs={"looks-first": {"while it runs: log": STARTED}})
def the_pid_file(site):
    path = site.folder / "pid"
    site.start("--pid", path)
    site.see("content", path.read_text() == f"{site.arbiters()[0]}\n")
    site.see("mode", oct(stat.S_IMODE(path.stat().st_mode)))
    site.fails("while it runs", "--bind", "127.0.0.1:0", "--pid", path)
    site.see("the first one's still", path.read_text() == f"{site.arbiters()[0]}\n")
    site.tell(signal.SIGHUP)
    site.wait_log("Booting worker", 2)
    site.workers(1)
    site.see("after HUP", path.read_text() == f"{site.arbiters()[0]}\n")
    bye(site)
    site.see("left", path.exists())


@scenario()
def a_pid_file_that_is_stale(site):
    path = site.folder / "pid"
    path.write_text("99999999\n")
    site.start("--pid", path)
    site.see("content", path.read_text() == f"{site.arbiters()[0]}\n")
    site.signal(signal.SIGINT)
    site.wait()
    site.see("left", path.exists())


@scenario()
def a_pid_file_of_an_arbiter_that_was_killed(site):
    path = site.folder / "pid"
    site.start("--pid", path, "--timeout", 3)
    workers = site.workers(1)
    site.signal(signal.SIGKILL)
    site.ended(*workers)
    site.wait()
    site.see("left", path.exists())


@scenario()
def a_pid_file_that_another_has_taken_over(site):
    path = site.folder / "pid"
    site.start("--pid", path)
    path.write_text("1\n")
    bye(site)
    site.see("content", path.read_text())


@scenario(differs={"precious": {"start": ("starts", "status 1"), "kept": (False, True)}})
def a_file_that_is_no_pid_file(site):
    path = site.folder / "pid"
    path.write_text("precious\n")
    site.see("start", site.starts("--bind", "127.0.0.1:0", "--pid", path))
    site.see("kept", path.exists() and path.read_text() == "precious\n")


@scenario(differs={
    "address-in-use": {
        "address in use": ("status 1, no word", "status 1, one line"),
        "address in use: log": (sorted(5 * ["ERROR Connection in use: ('127.0.0.1', PORT)", "ERROR Retrying in 1 second."] +
                                       ["ERROR Can't connect to ('127.0.0.1', PORT)"] + STARTED[0]), [])},
    "one-line": {"no socket": ("status 1, several lines", "status 2, one line")},
    "looks-first": {"pid file in no folder: log": STARTED, "no socket: log": STARTED}})
def refused_starts(site):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.fails("address in use", "--bind", f"127.0.0.1:{taken.getsockname()[1]}")
    site.fails("pid file in no folder", "--bind", "127.0.0.1:0", "--pid", site.folder / "none" / "pid")
    site.fails("log in no folder", "--bind", "127.0.0.1:0", "--error-logfile", site.folder / "none" / "log")
    (site.folder / "file").write_text("precious\n")
    site.fails("no socket", "--bind", f"unix:{site.folder / 'file'}")
    site.see("the file", (site.folder / "file").read_text())


# What gunicorn makes of them; ours ends with 2 and one line.
WRONG_OPTIONS = {
    "--nonsense": "status 2, several lines",
    "--workers x": "status 2, several lines",
    "--workers -1": "status 1, one line",
    "--worker-class nonsense": "status 1, several lines",
    "--timeout soon": "status 2, several lines",
    "--timeout -1": "status 1, one line",
    "--backlog x": "status 2, several lines",
    "--limit-request-fields x": "status 2, several lines",
    "--bind 127.0.0.1:x": "status 1, one line",
    "--bind 127.0.0.1:99999": "status 1, several lines",
}


@scenario(differs={"one-line": {words: (theirs, "status 2, one line") for words, theirs in WRONG_OPTIONS.items()} |
                               {"$WEB_CONCURRENCY": ("status 1, several lines", "status 2, one line")},
                   "looks-first": {"--bind 127.0.0.1:99999: log": STARTED}})
def wrong_options(site):
    for words in WRONG_OPTIONS:
        site.fails(words, *words.split())
    site.fails("$WEB_CONCURRENCY", env={"WEB_CONCURRENCY": "many"})


@scenario(differs={"zero-workers": {"workers 0": ("starts", "status 2")},
                   "log-level": {"log-level loud": ("starts", "status 2")}})
def options_that_only_gunicorn_takes(site):
    site.see("workers 0", site.starts("--bind", "127.0.0.1:0", "--workers", 0))
    site.see("log-level loud", site.starts("--bind", "127.0.0.1:0", "--log-level", "loud"))


@scenario()
def web_concurrency(site):
    site.start(workers=3, env={"WEB_CONCURRENCY": "3"})
    bye(site)


@scenario()
def the_command_line_wins_over_web_concurrency(site):
    site.start("--workers", 2, workers=2, env={"WEB_CONCURRENCY": "3"})
    bye(site)


@scenario(differs={"name": {"text": ("gunicorn (version N)\n", "prefork_server N\n")}})
def the_version(site):
    status, text = site.run("--version")
    site.see("status", status)
    site.see("text", re.sub(r"\d+\.\d+\.\d+", "N", text))
    status, text = site.run("--help")
    site.see("status of the help", status)


@scenario(differs={"umask": {"mode": ("0o777", "0o755")}})
def a_unix_socket(site):
    path = site.folder / "socket"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()
    site.start(bind=f"unix:{path}", shell='umask 022; exec "$@"')
    site.see("answer", site.get())
    site.see("mode", oct(stat.S_IMODE(path.stat().st_mode)))
    bye(site)
    site.see("left", path.exists())


@scenario(differs={"taken-socket": {"another": ("starts", "status 1"), "its file": (False, True)}})
def a_unix_socket_that_somebody_listens_on(site):
    path = site.folder / "socket"
    site.start(bind=f"unix:{path}")
    inode = path.stat().st_ino
    site.see("another", site.starts("--bind", f"unix:{path}"))
    site.see("its file", path.stat().st_ino == inode)
    bye(site)


@scenario(differs={"umask": {"umask": ("0022", "0077")}})
def a_unix_socket_and_umask(site):
    path = site.folder / "socket"
    site.start("--umask", "077", bind=f"unix:{path}", shell='umask 022; exec "$@"')
    site.see("mode", oct(stat.S_IMODE(path.stat().st_mode)))
    site.see("umask", site.worker_status("Umask"))
    bye(site)


@scenario()
def ipv6(site):
    site.start(bind="[::1]:0")
    site.see("name", bool(re.search(r"Listening at: http://\[::1\]:\d+ \(", site.log())))
    bye(site)


@scenario()
def two_addresses(site):
    path = site.folder / "socket"
    site.start("--bind", f"unix:{path}")
    site.see("first", site.get())
    site.bind = f"unix:{path}"
    site.see("second", site.get())
    site.see("in turn", [site.get() for _ in range(3)])
    bye(site)
    site.see("left", path.exists())


@scenario(differs={"drain": {"second": ("reset", "200 close Hello, Anonymous")}})
def term_and_two_addresses(site):
    site.start("--bind", "127.0.0.1:0")
    first, second = site.ask_and_wait("/?sleep=2"), site.ask(number=1)
    site.signal(signal.SIGTERM)
    site.see("first", first.answer())
    site.see("second", second.answer())
    site.wait()


@scenario()
def reuse_port(site):
    site.start("--reuse-port")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", site.port()))  # fails where the port is not shared
    bye(site)


@scenario(differs={"what-changed": {"arbiter 1": ([], ["INFO --workers has changed"])}})
def a_configuration_file(site):
    """One that both can read: Python, and lines of name = value."""
    path = site.folder / "conf.py"
    path.write_text("# as many as two\nworkers = 2\n")
    site.start("--config", path, workers=2)
    path.write_text("workers = 3\n")
    old = site.workers(2)
    site.tell(signal.SIGHUP)
    site.ended(*old)
    site.workers(3)
    site.see("answer", site.get())
    bye(site)


@scenario()
def the_command_line_wins_over_the_file(site):
    path = site.folder / "conf.py"
    path.write_text("workers = 2\n")
    site.start("--config", path, "--workers", 3, workers=3)
    bye(site)


@scenario(differs={"one-line": {"refused": ("status 1, several lines", "status 2, one line"),
                                "no file": ("status 1, one line", "status 2, one line"),
                                "check": ("status 1, several lines", "status 2, one line")}})
def a_file_that_is_wrong_at_the_start(site):
    path = site.folder / "conf.py"
    path.write_text("workers = many\n")
    site.fails("refused", "--bind", "127.0.0.1:0", "--config", path)
    site.fails("no file", "--bind", "127.0.0.1:0", "--config", site.folder / "none")
    site.fails("check", "--check-config", "--config", path)
    path.write_text("workers = 2\n")
    status, text = site.run("--check-config", "--config", path)
    site.see("right", status)
    site.see("right: text", text)


@scenario(differs={"wrong-file": {
    "arbiter 1": ([], [
        "ERROR FOLDER/conf.py:1: workers = many: must be a whole number from 1 to 1024; everything stays as it was",
        "INFO Handling signal: term", "INFO Shutting down: Master"]),
    "workers": ([(BOOTED, "INFO Parent changed, shutting down: <Worker PID>", EXITED)] * 2, [LIVED] * 2),
    "output": (["Failed to read config file: FOLDER/conf.py", "NameError: name 'many' is not defined"], []),
    "then": (None, "200 close Hello, Anonymous"), "status": (1, 0), "pid file left": (True, False)}})
def hup_and_a_file_that_is_wrong(site):
    path = site.folder / "conf.py"
    path.write_text("workers = 2\n")
    site.start("--config", path, "--timeout", 3, "--pid", site.folder / "pid", workers=2)
    path.write_text("workers = many\n")
    workers = site.workers(2)
    site.tell(signal.SIGHUP)
    if site.goes_on():
        site.see("then", site.get())
        site.signal(signal.SIGTERM)
    site.wait()
    site.ended(*workers)
    site.see("pid file left", (site.folder / "pid").exists())


@scenario(differs={"what-changed": {"arbiter 1": ([], ["INFO --bind has changed"])}})
def hup_and_another_address(site):
    path = site.folder / "conf.py"
    first, second = site.folder / "first", site.folder / "second"
    path.write_text(f"bind = {site.quoted(f'unix:{first}')}\n")
    site.start("--config", path, bind=None)
    (old,) = site.workers(1)
    path.write_text(f"bind = {site.quoted(f'unix:{second}')}\n")
    site.tell(signal.SIGHUP)
    site.ended(old)
    site.workers(1)
    site.bind = f"unix:{second}"
    site.see("second", site.get())
    site.bind = f"unix:{first}"
    site.see("first", site.get())
    bye(site)
