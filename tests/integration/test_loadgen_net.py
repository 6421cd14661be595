"""How loadgen reaches a server: through a proxy, on a Unix socket, from which local addresses and out of how many ports."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from load import LOADGEN, OK, WELL, ScriptedServer, answering, assert_all_well, failures, loadgen, one_cell
from servers import PATIENCE, ROOT
from test_loadgen_ab import assert_alike, run_ab
from tls_server import TlsServer, certificate, hand_on  # pylint: disable=unused-import

AB = shutil.which("ab")


def fields(request):
    """The header of a request, by lower-case name."""
    lines = request.decode().split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


class TunnelServer(ScriptedServer):
    """A proxy: CONNECT leads to PORT of this machine, whatever it names; ANSWER(request) may refuse it."""

    def __init__(self, port, answer=lambda _: b"HTTP/1.1 200 Connection established\r\n\r\n"):
        def script(peer):
            request = peer.request()
            self.requests.append(request)
            said = answer(request)
            peer.send(said)
            if not said.startswith(b"HTTP/1.1 200"):
                return
            server = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            back = threading.Thread(target=hand_on, args=(server, peer.socket), daemon=True)
            back.start()
            hand_on(peer.socket, server)
            back.join(PATIENCE)

        super().__init__(script)
        self.address = f"127.0.0.1:{self.port}"


def recording(seen, response=OK):
    """A script that answers and keeps what it was asked."""

    def script(peer):
        while True:
            request = peer.request()
            if not request:
                return
            seen.append(request)
            peer.send(response)
            if b"Connection: close" in request or b"HTTP/1.0\r\n" in request:
                return

    return script


class TestProxy:
    @pytest.mark.parametrize("credentials", [None, "user:secret"])
    def test_http_is_asked_for_in_the_absolute_form(self, credentials):
        """The name means something to the proxy alone."""
        seen = []
        with ScriptedServer(recording(seen)) as proxy:
            cell = one_cell("-n", 5, "-X", f"127.0.0.1:{proxy.port}", *(["-P", credentials] if credentials else []),
                            "-A", "me:too", "http://no.such.host.invalid:99/x?y=1")
        assert_all_well(cell, 5)
        for request in seen:
            assert request.startswith(b"GET http://no.such.host.invalid:99/x?y=1 HTTP/1.1\r\n")
            assert fields(request)["host"] == "no.such.host.invalid:99"
            told = fields(request).get("proxy-authorization")
            assert told == (credentials and "Basic " + base64.b64encode(credentials.encode()).decode())
            assert "authorization" in fields(request)

    @pytest.mark.skipif(AB is None, reason="needs ab (Debian package apache2-utils)")
    def test_the_proxy_sees_what_ab_sends_it(self):
        seen = []
        with ScriptedServer(recording(seen)) as proxy:
            options = ["-n", "1", "-X", f"127.0.0.1:{proxy.port}", "-P", "user:secret", "-k", "http://no.such.host.invalid/x"]
            assert loadgen(*options).returncode in WELL
            subprocess.run([AB, *options], check=True, capture_output=True, timeout=60)
        ours, theirs = seen
        assert ours.split(b"\r\n")[0].replace(b"HTTP/1.1", b"HTTP/1.0") == theirs.split(b"\r\n")[0]
        assert {**fields(ours), "user-agent": "x"} == {**fields(theirs), "user-agent": "x"}

    @pytest.mark.skipif(AB is None, reason="needs ab (Debian package apache2-utils)")
    def test_the_report_is_that_of_ab(self):
        with ScriptedServer(answering(OK)) as proxy:
            options = ["-n", 10, "-c", 2, "-X", f"127.0.0.1:{proxy.port}", "http://no.such.host.invalid:99/x"]
            ours, theirs = loadgen(*options), run_ab(*options)
        assert_alike(ours, theirs)
        for report in (ours, theirs):
            assert f"\nBenchmarking no.such.host.invalid [through 127.0.0.1:{proxy.port}] (be patient)" in report.stdout
            assert "\nServer Hostname:        no.such.host.invalid\nServer Port:            99\n" in report.stdout
            assert "\nDocument Path:          /x\n" in report.stdout

    @pytest.mark.parametrize("credentials", [None, "user:secret"])
    @pytest.mark.parametrize("keep", [True, False])
    def test_https_goes_through_a_tunnel(self, certificate, credentials, keep):
        seen, names = [], []
        context = certificate.context()
        context.sni_callback = lambda _, name, __: names.append(name)
        with TlsServer(recording(seen), context) as server, TunnelServer(server.port) as proxy:
            cell = one_cell("-n", 12, "-c", 3, *(["-k"] if keep else []), "-X", proxy.address,
                            *(["-P", credentials] if credentials else []), "https://no.such.host.invalid/x")
        assert_all_well(cell, 12)
        assert len(proxy.requests) == proxy.connections == (3 if keep else 12)
        for request in proxy.requests:
            assert request.startswith(b"CONNECT no.such.host.invalid:443 HTTP/1.1\r\nHost: no.such.host.invalid:443\r\n")
            told = fields(request).get("proxy-authorization")
            assert told == (credentials and "Basic " + base64.b64encode(credentials.encode()).decode())
        for request in seen:
            assert request.startswith(b"GET /x HTTP/1.1\r\n") and b"Proxy-Authorization" not in request
            assert fields(request)["host"] == "no.such.host.invalid"
        assert set(names) == {"no.such.host.invalid"}

    @pytest.mark.parametrize("answer,says", [
        (b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n",
         "the proxy answered CONNECT with 407 Who are you; use -P user:password"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\nno", "the proxy answered CONNECT with 502 Bad Gateway"),
        (b"SSH-2.0-OpenSSH\r\n", "the proxy's answer to CONNECT is not HTTP/1"),
        (b"HTTP/1.1 200 OK\r\n\r\nand more", "the proxy sent more than its answer to CONNECT"),
    ])
    def test_a_tunnel_that_is_refused_at_once_is_one_clear_line(self, answer, says):
        with ScriptedServer(lambda peer: peer.request() and peer.send(answer)) as proxy:
            done = loadgen("-n", 20, "-X", f"127.0.0.1:{proxy.port}", "https://host/")
        assert done.returncode == 1
        assert done.stderr == f"loadgen: https://host/: cannot connect: {says}\n"

    def test_a_tunnel_that_is_refused_now_and_then_is_a_failed_connect(self, certificate):
        def every_third(_):
            return b"HTTP/1.1 503 Later\r\n\r\n" if len(proxy.requests) % 3 == 2 else b"HTTP/1.1 200 OK\r\n\r\n"

        with TlsServer(answering(), certificate.context()) as server, TunnelServer(server.port, every_third) as proxy:
            cell = one_cell("-n", 10, "-X", proxy.address, "https://host/", status=1)
        assert (cell["complete"], failures(cell)) == (10, {"connect": 5})

    def test_ten_refused_tunnels_in_a_row_end_the_cell(self, certificate):
        def first_alone(_):
            return b"HTTP/1.1 503 Later\r\n\r\n" if len(proxy.requests) > 1 else b"HTTP/1.1 200 OK\r\n\r\n"

        with TlsServer(answering(), certificate.context()) as server, TunnelServer(server.port, first_alone) as proxy:
            done = loadgen("-n", 30, "-X", proxy.address, "https://host/")
        assert done.returncode == 1
        assert done.stderr == ("loadgen: https://host/: test aborted after 10 failed connects in a row "
                               "(the proxy answered CONNECT with 503 Later); 1 request completed\n")

    @pytest.mark.parametrize("how", ["closes", "resets"])
    def test_a_proxy_that_ends_the_connection_is_not_reached(self, how):
        def script(peer):
            peer.request()
            if how == "resets":
                peer.reset()

        with ScriptedServer(script) as proxy:
            done = loadgen("-n", 5, "-X", f"127.0.0.1:{proxy.port}", "https://host/")
        assert done.stderr == (f"loadgen: https://host/: cannot connect through the proxy 127.0.0.1:{proxy.port}: "
                               "connection reset by peer\n")

    def test_a_proxy_that_never_answers_times_out(self):
        with ScriptedServer(lambda peer: peer.request() and peer.request()) as proxy:
            cell = one_cell("-n", 3, "-c", 3, "-s", 0.3, "-X", f"127.0.0.1:{proxy.port}", "https://host/", status=1)
        assert failures(cell) == {"timeout": 3}

    @pytest.mark.parametrize("proxy,says", [
        ("", '-X "": must not be empty'),
        (":81", "-X :81: the proxy has no host; use host:port"),
        ("a:0", "-X a:0: the port must be a whole number from 1 to 65535"),
        ("u:p@a:1", "-X u:p@a:1: user and password do not belong here; use -P user:password"),
        ("https://a", "-X https://a: a proxy is host:port alone, and is spoken to in plain HTTP"),
    ])
    def test_a_wrong_proxy_is_one_clear_line(self, proxy, says):
        done = loadgen("-X", proxy, "http://127.0.0.1:1/")
        assert (done.returncode, done.stdout, done.stderr) == (2, "", f"loadgen: {says}\n")

    def test_a_proxy_without_an_address(self):
        done = loadgen("-X", "no.such.proxy.invalid:1", "http://127.0.0.1:1/")
        assert done.returncode == 1
        assert done.stderr.startswith("loadgen: -X no.such.proxy.invalid:1: cannot resolve no.such.proxy.invalid: ")


@pytest.fixture
def unix_server(tmp_path):
    """Answers on a Unix socket, with what it was asked in `seen`."""
    path, seen, stop = tmp_path / "app.sock", [], threading.Event()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(512)

    def serve(connection):
        data = b""
        with connection:
            while True:
                more = connection.recv(65536)
                if not more:
                    return
                data += more
                while b"\r\n\r\n" in data:
                    request, _, data = data.partition(b"\r\n\r\n")
                    seen.append(request)
                    body = b"x" * 200000
                    connection.sendall(b"HTTP/1.1 200 OK\r\nServer: toy/1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    if b"Connection: close" in request:
                        return

    def accept():
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield path, seen
    stop.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


class TestUnix:
    @pytest.mark.parametrize("options", [[], ["-k"], ["--pipeline", "4"], ["-b", "4096"]])
    def test_a_server_on_a_unix_socket(self, unix_server, options):
        path, seen = unix_server
        cell = one_cell("-n", 20, "-c", 4, *options, f"unix:{path}:/x?y=1")
        assert_all_well(cell, 20)
        assert cell["bytes"]["body"] == 20 * 200000
        assert cell["target"] == f"unix:{path}:/x?y=1"
        assert {request.split(b"\r\n")[0] for request in seen} == {b"GET /x?y=1 HTTP/1.1"}
        assert {fields(request)["host"] for request in seen} == {"localhost"}

    def test_the_report(self, unix_server):
        done = loadgen("-n", 2, f"unix:{unix_server[0]}")
        assert done.returncode in WELL
        assert "\nServer Hostname:        localhost\n" in done.stdout and "\nDocument Path:          /\n" in done.stdout

    def test_where_there_is_none(self, tmp_path):
        done = loadgen(f"unix:{tmp_path}/none:/")
        assert done.returncode == 1
        assert done.stderr == f"loadgen: unix:{tmp_path}/none:/: cannot connect: no such file or directory\n"

    def test_nobody_listens(self, tmp_path):
        socket.socket(socket.AF_UNIX).bind(str(tmp_path / "dead"))
        done = loadgen(f"unix:{tmp_path}/dead:/")
        assert done.stderr == f"loadgen: unix:{tmp_path}/dead:/: connection refused; is the server running?\n"

    def test_more_connections_than_wait_to_be_accepted(self, tmp_path):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "busy"))
            listener.listen(2)
            done = loadgen("-q", "-c", 20, "-n", 20, f"unix:{tmp_path}/busy:/")
        assert done.returncode == 1
        assert done.stderr == (f"loadgen: unix:{tmp_path}/busy:/: test aborted after 10 failed connects in a row (resource "
                               "temporarily unavailable); 0 requests completed; the server's queue of connections is full: "
                               "raise its backlog, or lower -c\n")

    @pytest.mark.parametrize("options,says", [
        (["-X", "a:1"], "-X a:1: a proxy does not reach a Unix socket; leave -X out for unix:/s:/"),
        (["--source", "127.0.0.2"], "unix:/s:/: a Unix socket is not reached from an address; leave -B or --source out"),
    ])
    def test_what_does_not_go_with_it(self, options, says):
        done = loadgen(*options, "unix:/s:/")
        assert (done.returncode, done.stderr) == (2, f"loadgen: {says}\n")


def noting(addresses):
    def script(peer):
        addresses.append(peer.socket.getpeername()[0])
        answering()(peer)

    return script


class TestSources:
    @pytest.mark.parametrize("threads", [1, 2])
    def test_connections_take_turns(self, threads):
        seen = []
        with ScriptedServer(noting(seen)) as server:
            cell = one_cell("-n", 40, "-c", 4, "--threads", threads, "--source", "127.0.0.2-127.0.0.5", server.url)
        assert_all_well(cell, 40)
        assert {address: seen.count(address) for address in set(seen)} == {f"127.0.0.{i}": 10 for i in (2, 3, 4, 5)}

    @pytest.mark.parametrize("option", ["-B", "--source"])
    def test_one_address(self, option):
        seen = []
        with ScriptedServer(noting(seen)) as server:
            assert_all_well(one_cell("-n", 6, "-c", 2, "-k", option, "127.0.0.7", server.url), 6)
        assert seen == ["127.0.0.7"] * 2

    def test_of_a_name_only_addresses_of_its_family_are_tried(self):
        seen = []
        with ScriptedServer(noting(seen)) as server:
            cell = one_cell("-n", 2, "--source", "127.0.0.2", f"http://localhost:{server.port}/")
        assert_all_well(cell, 2)
        assert seen == ["127.0.0.2"] * 2

    @pytest.mark.parametrize("source,says", [
        ("127.0.0.5-127.0.0.2", "the range is backwards: write the lower address first"),
        ("127.0.0.1-::1", "both ends of a range must be IPv4, or both IPv6"),
        ("127.0.0.0-127.1.0.0", "the range has more than 65536 addresses"),
        ("localhost", "use a local address, or a range as in 127.0.0.2-127.0.0.9"),
    ])
    def test_a_wrong_range_is_one_clear_line(self, source, says):
        done = loadgen("--source", source, "http://127.0.0.1:1/")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("loadgen: ") and says in done.stderr and done.stderr.count("\n") == 1

    def test_an_address_of_another_machine(self):
        done = loadgen("--source", "192.0.2.7", "http://127.0.0.1:1/")
        assert done.returncode == 1
        assert done.stderr == ("loadgen: -B or --source: 192.0.2.7 is not an address of this machine; "
                               "`ip addr add 192.0.2.7/32 dev lo` makes it one\n")


# Runs in a network of its own: serves "hello", and prints who asked and what loadgen said.
NAMESPACE = """
import json, subprocess, sys
sys.path.insert(0, sys.argv[2])
import socket
from load import ScriptedServer, answering
ports, addresses, host, options = json.loads(sys.argv[1])
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for address in addresses:
    subprocess.run(["ip", "addr", "add", address, "dev", "lo"] + (["nodad"] if ":" in address else []), check=True)
seen = []
def script(peer):
    seen.append(peer.socket.getpeername()[0])
    answering()(peer)
with ScriptedServer(script, family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
    if ports:
        open("/proc/sys/net/ipv4/ip_local_port_range", "w").write(ports)
    done = subprocess.run([sys.argv[3], *options, server.url], capture_output=True, text=True, timeout=60)
print(json.dumps([done.returncode, done.stdout, done.stderr, seen]))
"""


def in_a_network_of_its_own(options, ports=None, addresses=(), host="127.0.0.1"):
    done = subprocess.run(["unshare", "-rn", sys.executable, "-c", NAMESPACE, json.dumps([ports, addresses, host, options]),
                           ROOT / "tests/integration", LOADGEN], capture_output=True, text=True, timeout=90)
    if done.returncode != 0 and any(text in done.stderr for text in ("unshare:", "Operation not permitted")):
        pytest.skip("this machine gives no network namespaces")
    assert done.returncode in WELL, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("ip"), reason="needs unshare and ip")
class TestPorts:
    def test_out_of_ports_the_message_names_both_ways_out(self):
        status, _, said, _ = in_a_network_of_its_own(["-n", "20", "-c", "8", "-k"], ports="40000 40003")
        assert status == 1
        assert said.endswith(": cannot assign requested address at concurrency 8; out of local ports: widen "
                             "net.ipv4.ip_local_port_range with sysctl, or spread with --source\n"), said

    def test_each_source_has_ports_of_its_own(self):
        status, _, said, seen = in_a_network_of_its_own(
            ["-n", "20", "-c", "8", "-k", "-q", "--source", "127.0.0.2-127.0.0.3"], ports="40000 40003")
        assert status in (0, 3), said
        assert sorted(seen) == ["127.0.0.2"] * 4 + ["127.0.0.3"] * 4

    def test_a_range_of_ipv6_addresses(self):
        addresses = [f"fd00::{last}/128" for last in ("fffe", "ffff", "1:0")]
        status, _, said, seen = in_a_network_of_its_own(
            ["-n", "9", "-c", "3", "-q", "--source", "fd00::fffe-fd00::1:0"], addresses=addresses, host="::1")
        assert status in (0, 3), said
        assert {address: seen.count(address) for address in set(seen)} == {"fd00::fffe": 3, "fd00::ffff": 3, "fd00::1:0": 3}
