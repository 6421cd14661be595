"""The completions of bash and zsh: they know every option, and complete what follows one."""

import os
import re
import shutil
import subprocess

import pytest

from options import options_of
from servers import PATIENCE, ROOT

BASH = ROOT / "completions/loadgen.bash"
ZSH = ROOT / "completions/_loadgen"


def bash(*words, cwd="/"):
    """What bash offers for the last of WORDS, split as readline does: its answer to a Tab there."""
    script = """
        source "$1"; shift
        declare -F _loadgen > /dev/null && complete -p loadgen > /dev/null || exit 9
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _loadgen loadgen "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", BASH, "loadgen", *words], cwd=cwd, capture_output=True,
                          text=True, timeout=PATIENCE, check=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    assert done.stderr == ""
    return done.stdout.split()


def all_options():
    return {name for names in options_of("loadgen") for name in names}


def test_bash_knows_every_option():
    assert set(bash("-")) == all_options()
    assert set(bash("--")) == {name for name in all_options() if name.startswith("--")}
    assert bash("-k", "http://127.0.0.1/", "--until") == ["--until-saturated"]


def test_bash_completes_what_an_option_can_be():
    assert bash("--arrivals", "") == ["constant", "poisson"]
    assert bash("--arrivals", "p") == ["poisson"]
    assert bash("--arrivals", "=") == ["constant", "poisson"]
    assert bash("--arrivals", "=", "c") == ["constant"]
    assert bash("-f", "TLS1.") == ["TLS1.1", "TLS1.2", "TLS1.3"]
    assert bash("-k", "--tls-protocol", "A") == ["ALL"]
    assert bash("-m", "P") == ["POST", "PUT", "PATCH"]
    assert bash("--threads", "") == ["auto"]
    assert bash("-T", "app") == ["application/json", "application/x-www-form-urlencoded"]


@pytest.mark.parametrize("option", ["-p", "--post", "-u", "--put", "--urls", "-E", "--tls-certificate", "-e", "--percentiles",
                                    "-g", "--gnuplot", "--json", "--csv", "--hgrm", "--series", "--plot"])
def test_bash_completes_files(option, tmp_path):
    (tmp_path / "body.json").touch()
    (tmp_path / "body dir").mkdir()
    (tmp_path / "other").touch()
    assert sorted(bash(option, "bo", cwd=tmp_path)) == ["body", "body.json", "dir"]
    assert bash(option, "=", "oth", cwd=tmp_path) == ["other"]


def test_bash_offers_nothing_where_anything_can_stand(tmp_path):
    (tmp_path / "file").touch()
    for option in ("-n", "--concurrency", "--rate", "-H", "--expect"):
        assert bash(option, "", cwd=tmp_path) == []


def test_bash_completes_the_beginning_of_a_url(tmp_path):
    (tmp_path / "http-file").touch()
    assert bash("ht", cwd=tmp_path) == ["http://", "https://"]
    assert bash("-k", "un", cwd=tmp_path) == ["unix:"]


def test_bash_takes_a_value_after_each_option_that_has_one():
    """After a flag comes a URL, after anything else its value."""
    for names, takes_value in options_of("loadgen").items():
        for name in names:
            assert (bash(name, "http") == ["http://", "https://"]) == (not takes_value), name


def test_zsh_knows_every_option():
    assert set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*(?=[+=\[,}])", ZSH.read_text())) == all_options()


def test_zsh_knows_which_options_have_a_value():
    specs = ZSH.read_text()
    for names, takes_value in options_of("loadgen").items():
        for name in names:
            sign = re.search(rf"[{{,'*)]{name}([+=]?)[\[,}}]", specs).group(1)
            assert sign == ("" if not takes_value else "+" if len(name) == 2 else "="), name


def test_zsh_reads_it():
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    assert subprocess.run([zsh, "-f", "-n", ZSH], capture_output=True, text=True, timeout=PATIENCE, check=True).stderr == ""


def test_zsh_completes(tmp_path):
    """A Tab in an interactive zsh, in a pseudo-terminal of zsh's own."""
    zsh = shutil.which("zsh")
    if zsh is None:
        pytest.skip("zsh is not installed")
    script = r"""
        zmodload zsh/zpty && zpty shell "$ZSH_PROGRAM" -f -i || exit 9
        zpty -w shell "PS1='ready> '; fpath=(${(q)1} \$fpath); autoload -Uz compinit; compinit -u -D; bindkey '^X' list-choices"
        zpty -w shell "LISTMAX=0; echo so\far"; zpty -r shell line '*sofar*ready> '
        zpty -n -w shell "$2"; zpty -r shell line "*$3*" && print -r -- "$line"
    """
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": str(tmp_path), "TERM": "dumb", "ZSH_PROGRAM": zsh,
                   **{name: os.environ[name] for name in ("FPATH", "MODULE_PATH") if name in os.environ}}
    for keys, expected in (("loadgen --arr\t", "--arrivals="), ("loadgen --arrivals=p\t", "poisson"),
                           ("loadgen -f TLS1.\x18", "TLS1.2"), ("loadgen --un\t", "--until-saturated")):
        done = subprocess.run([zsh, "-f", "-c", script, "zsh", ZSH.parent, keys, expected], cwd=tmp_path, capture_output=True,
                              text=True, timeout=PATIENCE, env=environment)
        assert expected in done.stdout, done.stderr


def test_they_are_installed_where_the_shells_look(tmp_path):
    done = subprocess.run(["make", "-n", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, capture_output=True, text=True,
                          timeout=PATIENCE, check=True)
    commands = [line for line in done.stdout.splitlines() if "completions/" in line]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, shell=True, cwd=ROOT, timeout=PATIENCE, check=True)
    assert (tmp_path / "usr/share/bash-completion/completions/loadgen").read_text() == BASH.read_text()
    assert (tmp_path / "usr/share/zsh/site-functions/_loadgen").read_text() == ZSH.read_text()
