"""--plot draws with gnuplot, and says before the load what it cannot do."""

import os
import shutil
import struct
import xml.etree.ElementTree

import pytest

from load import ScriptedServer, answering, loadgen

needs_gnuplot = pytest.mark.skipif(shutil.which("gnuplot") is None, reason="needs gnuplot (Debian package gnuplot-nox)")


def texts(svg):
    """The words in a picture."""
    return [" ".join("".join(node.itertext()).split()) for node in xml.etree.ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")]


@needs_gnuplot
class TestPictures:
    def test_a_sweep(self, tmp_path):
        with ScriptedServer(answering()) as a, ScriptedServer(answering()) as b:
            done = loadgen("-n", 40, "-c", "1,2,4", "-k", "--repeat", 2, "--plot", tmp_path / "p.svg", a.url, b.url)
        assert done.returncode in (0, 3), done.stderr
        words = texts(tmp_path / "p.svg")
        for word in ("Concurrency, connections", "Requests per second (95% confidence)", "Latency, ms", "p50", "p90", "p99", a.url, b.url):
            assert word in words, words
        assert words.count("4") >= 2  # a tic in each panel
        assert os.listdir(tmp_path) == ["p.svg"]

    def test_one_cell(self, tmp_path):
        with ScriptedServer(answering()) as server:
            done = loadgen("--duration", 1.3, "-c", 2, "-k", "--plot", tmp_path / "p.svg", server.url)
        assert done.returncode in (0, 3), done.stderr
        words = texts(tmp_path / "p.svg")
        for word in ("Time, seconds", "Percentile", "99%", "max"):
            assert word in words, words

    def test_an_open_loop_over_rates(self, tmp_path):
        with ScriptedServer(answering()) as server:
            loadgen("--rate", "50,100", "-n", 10, "-k", "--plot", tmp_path / "p.svg", server.url)
        words = texts(tmp_path / "p.svg")
        assert "Rate asked for, requests per second" in words and "Response time, ms" in words

    def test_a_png(self, tmp_path):
        with ScriptedServer(answering()) as server:
            loadgen("-n", 10, "-c", "1,2", "--plot", tmp_path / "p.png", server.url)
        data = (tmp_path / "p.png").read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in data[-12:]
        width, height = struct.unpack(">II", data[16:24])
        assert width == 1800 and height > 1000

    def test_on_standard_output(self):
        with ScriptedServer(answering()) as server:
            done = loadgen("-n", 10, "-q", "--plot", "-", server.url)
        assert done.stdout.startswith("<?xml") and done.stdout.rstrip().endswith("</svg>")

    def test_settings_of_the_user_do_not_matter(self, tmp_path):
        (tmp_path / ".gnuplot").write_text("set terminal dumb\nexit\n")
        with ScriptedServer(answering()) as server:
            loadgen("-n", 10, "--plot", tmp_path / "p.svg", server.url, env=dict(os.environ, HOME=str(tmp_path)))
        assert "Percentile" in texts(tmp_path / "p.svg")


class TestErrors:
    @pytest.mark.parametrize("name", ["p.gif", "p", "svg"])
    def test_other_formats(self, name):
        done = loadgen("--plot", name, "http://127.0.0.1:1/")
        assert done.returncode == 2 and f"--plot {name}: the name must end in .svg or .png" in done.stderr

    def test_no_gnuplot(self, tmp_path):
        with ScriptedServer(answering()) as server:
            done = loadgen("--plot", tmp_path / "p.svg", server.url, env=dict(os.environ, PATH=str(tmp_path)))
        assert done.returncode == 1 and "gnuplot is not installed; it is in Debian's package gnuplot-nox" in done.stderr
        assert server.connections == 0

    def test_a_folder_that_is_not_there(self, tmp_path):
        with ScriptedServer(answering()) as server:
            done = loadgen("--plot", tmp_path / "no" / "p.svg", server.url)
        assert done.returncode == 1 and server.connections == 0

    @pytest.mark.parametrize("script, message", [
        ("echo 'no font' >&2; exit 1", "gnuplot: no font"),
        ("cat > /dev/null", "gnuplot: it drew nothing"),
        ("kill -SEGV $$", "gnuplot: it drew nothing"),
    ])
    def test_a_gnuplot_that_fails_leaves_the_old_picture(self, script, message, tmp_path):
        (tmp_path / "gnuplot").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "gnuplot").chmod(0o755)
        (tmp_path / "p.svg").write_text("old")
        with ScriptedServer(answering()) as server:
            done = loadgen("--plot", tmp_path / "p.svg", server.url, env=dict(os.environ, PATH=f"{tmp_path}:{os.environ['PATH']}"))
        assert done.returncode == 1
        assert f"loadgen: cannot draw {tmp_path}/p.svg: {message}" in done.stderr
        assert "Complete requests:      100\n" in done.stdout
        assert (tmp_path / "p.svg").read_text() == "old"

    def test_no_figures(self, tmp_path):
        done = loadgen("--plot", tmp_path / "p.svg", "http://127.0.0.1:1/")
        assert done.returncode == 1 and f"{tmp_path}/p.svg is not drawn: there are no figures" in done.stderr
        assert os.listdir(tmp_path) == []
