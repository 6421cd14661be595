"""The servers of bench/prefork_server: one worker unless told, no access log, and the lab's 16 bytes."""

from harness import machine
from harness.machine import ROOT
from harness.peers import PYTHON, Peer, Peers, has_module, program

LIMIT, OURS, APACHE_PREFORK, APACHE_WORKER = "bare loop", "prefork_server", "apache prefork", "apache worker"
SINGLE = (LIMIT, "nginx")  # one process, which shares its memory with no other
GUNICORN = [PYTHON, "-B", "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", 1]
BARE_WSGI = ["--chdir", ROOT / "bench/peers", "wsgi_app:application"]
DJANGO = ["--chdir", ROOT / "experiments/real", "--env", "LAB_SLEEP=0", "django_server:application"]


class PreforkPeers(Peers):
    """`closing`: a connection for each request, one worker each, the limit and ours first. `keeping`: CONNECTIONS that stay,
    over THREADS. Apache holds a thread, or a process, for each connection as long as it lasts, so there it has as many as
    there are connections; with fewer, the rest would get no answer."""

    def __init__(self, programs, folder, connections, threads):
        super().__init__(programs, folder)
        self.add(LIMIT, [machine.build("limits/accept_loop.c", folder), "{port}"], keeps=False)
        self.all.append(self.ours(OURS))
        self.add_installed("nginx", "nginx-light", program("nginx"), "-p", folder, "-c", "{conf}", keeps=False)
        self.add_apache(APACHE_PREFORK, 1, keeps=False)
        self.add_gunicorn("gunicorn", "gunicorn", [], BARE_WSGI, keeps=False)
        self.add_gunicorn("gunicorn+Django", "python3-django", ["django"], DJANGO, keeps=False)
        gthread = ["--worker-class", "gthread", "--threads", threads]
        self.all.append(self.ours(OURS, *gthread, keeps=True))
        self.add_apache(APACHE_WORKER, connections, keeps=True)
        self.add_apache(APACHE_PREFORK, connections, keeps=True)
        self.add_gunicorn("gunicorn gthread", "gunicorn", [], [*gthread, *BARE_WSGI], keeps=True)

    def ours(self, name, *options, keeps=False):
        """prefork_server with OPTIONS, to be called NAME."""
        command = [self.programs / "prefork_server", "--bind", "127.0.0.1:{port}", "--sleep", "{sleep}", *options]
        return Peer(name, command, self.folder, keeps=keeps)

    def add_apache(self, name, workers, keeps):
        arguments = ["-d", self.folder, "-f", "{conf}", "-DFOREGROUND", f"-D{name.split()[1]}",
                     "-C", f"Define workers {workers}"]
        self.add_installed(name, "apache2-bin", program("apache2"), *arguments, conf="apache.conf", keeps=keeps)

    def add_gunicorn(self, name, package, modules, arguments, keeps):
        there = has_module("gunicorn", *modules)
        self.add_installed(name, package, there and GUNICORN[0], *GUNICORN[1:], *arguments, keeps=keeps)

    @property
    def closing(self):
        return [peer for peer in self.all if not peer.keeps]

    @property
    def keeping(self):
        return [peer for peer in self.all if peer.keeps]
