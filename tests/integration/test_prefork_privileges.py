"""prefork_server --user and --group: who workers and the admin process run as."""

import grp
import os
import pathlib
import pwd
import re
import signal
import socket
import subprocess

import pytest

from prefork import GET, PROGRAM, children_of, run, start, workers
from servers import PATIENCE, parse_response, read_all, wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = pwd.getpwnam("nobody")


def status_of(pid, name):
    return re.search(rf"^{name}:[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE).group(1).split()


@pytest.fixture
def folder():
    """A folder that everybody can reach, as pytest's own are not, and that is nobody's."""
    path = pathlib.Path(subprocess.check_output(["mktemp", "-d", "/tmp/loopfork-privileges-XXXXXX"], text=True).strip())
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    path.chmod(0o755)
    yield path
    for entry in path.iterdir():
        entry.unlink()
    path.rmdir()


@as_root
@pytest.mark.parametrize("options", [["--user", "nobody"], ["--user", str(NOBODY.pw_uid)],
                                     ["--user", "nobody", "--group", str(NOBODY.pw_gid)]])
def test_workers_and_the_admin_process_are_that_user_for_good(start, options):
    server = start("--workers", 2, "--sleep", 0, "--admin", "127.0.0.1:0", *options)
    workers(server, 2)
    assert server.get()[0] == 200 and server.get("/healthz", port=server.admin_port())[0] == 200
    assert len(children_of(server.pid)) == 3
    for pid in children_of(server.pid):
        assert set(status_of(pid, "Uid")) == {str(NOBODY.pw_uid)}
        assert set(status_of(pid, "Gid")) == {str(NOBODY.pw_gid)}
        assert set(status_of(pid, "Groups")) <= {str(group) for group in os.getgrouplist("nobody", NOBODY.pw_gid)}
        assert status_of(pid, "CapEff") == ["0" * 16] and status_of(pid, "CapPrm") == ["0" * 16]
        assert status_of(pid, "NoNewPrivs") == ["1"]
    assert status_of(server.pid, "Uid")[0] == "0"
    old = workers(server, 2)
    server.signal(signal.SIGHUP)
    wait_until(lambda: len(new := server.worker_pids()) == 2 and not set(new) & set(old), "new workers")
    assert all(status_of(pid, "Uid")[0] == str(NOBODY.pw_uid) for pid in server.worker_pids())
    server.signal(signal.SIGTERM)
    assert server.wait() == 0


@as_root
def test_a_group_alone(start):
    group = grp.getgrgid(NOBODY.pw_gid).gr_name
    server = start("--sleep", 0, "--group", group)
    (worker,) = workers(server, 1)
    assert set(status_of(worker, "Gid")) == {str(NOBODY.pw_gid)} and status_of(worker, "Groups") == []
    assert server.get()[0] == 200


@pytest.mark.parametrize("options, message", [
    (["--user", "no-such-user"], "--user no-such-user: there is no such user"),
    (["--group", "no-such-group"], "--group no-such-group: there is no such group"),
    (["--user", ""], "there is no such user"),
    (["--user", "4294967295"], "there is no such user"),
    (["--user", "-1"], "there is no such user"),
    (["--group", "99999999999999999999"], "there is no such group"),
    (["--user", "1234567"], "name a --group as well"),
])
def test_who_does_not_exist_is_refused(options, message):
    result = run("--bind", "127.0.0.1:0", *options)
    assert result.returncode == 2 and message in result.stderr and result.stderr.count("\n") == 1


def as_nobody():
    os.setgroups([])
    os.setresgid(NOBODY.pw_gid, NOBODY.pw_gid, NOBODY.pw_gid)
    os.setresuid(NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_uid)


@pytest.fixture
def reachable():
    """A copy of the program where everybody can reach it."""
    path = pathlib.Path(subprocess.check_output(["mktemp", "/tmp/loopfork-program-XXXXXX"], text=True).strip())
    path.write_bytes(PROGRAM.read_bytes())
    path.chmod(0o755)
    yield path
    path.unlink()


@as_root
@pytest.mark.parametrize("options, what", [(["--user", "root"], "user"), (["--group", "root"], "group")])
def test_without_root_nobody_becomes_another(reachable, options, what):
    result = subprocess.run([reachable, "--bind", "127.0.0.1:0", *options], capture_output=True, text=True, timeout=PATIENCE,
                            preexec_fn=as_nobody, cwd="/")
    assert result.returncode == 1 and result.stderr.count("\n") == 1
    assert f"--{what} root: only root can become another {what}" in result.stderr


@as_root
def test_without_root_one_can_stay_who_one_is(reachable, folder):
    socket_path, log = folder / "socket", folder / "log"
    process = subprocess.Popen([reachable, "--bind", f"unix:{socket_path}", "--sleep", "0", "--user", "nobody", "--log-file", log],
                               preexec_fn=as_nobody, cwd="/")
    try:
        wait_until(lambda: log.exists() and "Booting worker" in log.read_text(), "the server")
        assert ask(socket_path) == 200
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0


def ask(path):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(PATIENCE)
        peer.connect(str(path))
        peer.sendall(GET)
        return parse_response(read_all(peer))[0]


@as_root
def test_logs_and_the_socket_are_given_to_the_user(start, folder):
    path, error, access = folder / "socket", folder / "error", folder / "access"
    server = start("--sleep", 0, "--user", "nobody", "--access-logfile", access, bind=f"unix:{path}")
    assert path.stat().st_uid == NOBODY.pw_uid and path.stat().st_gid == NOBODY.pw_gid
    assert access.stat().st_uid == NOBODY.pw_uid
    (worker,) = workers(server, 1)
    assert ask(path) == 200
    access.rename(folder / "access.1")
    server.signal(signal.SIGUSR1)
    wait_until(lambda: access.exists() and ask(path) == 200 and "GET /" in access.read_text(), "the new access log")
    assert access.stat().st_uid == NOBODY.pw_uid
    assert "Cannot open" not in server.log()
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    assert not path.exists()


@as_root
def test_a_link_that_others_laid_gives_nothing_away(start, folder, tmp_path):
    """The folder is the user's, who could put a link to any file of root's where the log is opened next."""
    secret, access = tmp_path / "secret", folder / "access"
    secret.write_text("")
    server = start("--sleep", 0, "--user", "nobody", "--access-logfile", access)
    access.unlink()
    access.symlink_to(secret)
    server.signal(signal.SIGUSR1)
    server.wait_log("Handling signal: usr1")
    server.signal(signal.SIGTTIN)
    workers(server, 2)
    assert secret.stat().st_uid == 0
    access.unlink()
    os.link(secret, access)
    server.signal(signal.SIGUSR1)
    server.wait_log("Handling signal: usr1", count=2)
    server.signal(signal.SIGTTIN)
    workers(server, 3)
    assert secret.stat().st_uid == 0
    access.unlink()


KEEPS = """
#include <unistd.h>

/* A kernel that agrees to everything and does nothing. */
int
setresuid(uid_t real, uid_t effective, uid_t saved)
{
	(void)real, (void)effective, (void)saved;
	return 0;
}
"""


@as_root
def test_a_worker_that_is_still_root_ends_the_server(tmp_path):
    (tmp_path / "keeps.c").write_text(KEEPS)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "keeps.so", tmp_path / "keeps.c"], check=True)
    options = os.environ.get("ASAN_OPTIONS", "")
    result = run("--bind", "127.0.0.1:0", "--user", "nobody", env=dict(
        os.environ, LD_PRELOAD=str(tmp_path / "keeps.so"), ASAN_OPTIONS=f"{options}:verify_asan_link_order=0".lstrip(":")))
    assert result.returncode == 3
    assert "cannot become user" in result.stderr and "Reason: Worker failed to boot." in result.stderr
