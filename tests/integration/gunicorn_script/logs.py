"""The access log, its format, and logs that are opened again."""

import re
import signal

from gunicorn_script.scenario import bye, scenario
from gunicorn_site import LINE, TIME
from servers import wait_until


def access_log_of(site, *options):
    """Its lines for a few requests."""
    path = site.folder / "access"
    site.start("--access-logfile", path, *options)
    site.get("/one?two=3", "Referer: http://r/\r\nUser-Agent: a\"b\r\nAuthorization: Basic dXM6cHc=\r\nX-Own: own\r\n")
    site.get("/%7euser")
    site.connect().send(b"HEAD / HTTP/1.0\r\n\r\n").end()
    wait_until(lambda: path.read_text().count("\n") >= 3, "three lines")
    bye(site)
    return path.read_text()


@scenario()
def the_access_log(site):
    lines = access_log_of(site)
    site.see("lines", [TIME.sub("[TIME]", line) for line in lines.splitlines()])


@scenario(differs={"refused-requests": {"lines": ([], ['127.0.0.1 - - [TIME] "- - -" 400 78 "-" "-"'])}})
def the_access_log_and_what_is_no_request(site):
    path = site.folder / "access"
    site.start("--access-logfile", path)
    site.see("answer", site.connect().send(b"nonsense\r\n\r\n").answer())
    site.get("/after")
    bye(site)
    site.see("lines", [TIME.sub("[TIME]", line) for line in path.read_text().splitlines()])


@scenario(differs={"response-fields": {"%({Server}o)s": (["-"] * 3, ["prefork_server/0.1.0"] * 3)}})
def each_atom_of_the_access_log(site):
    atoms = "h l u r m U q H s b B f a T {x-own}i {X-Own}i {none}i {content-type}o {Server}o {none}o".split()
    lines = access_log_of(site, "--access-logformat", "|".join(f"%({atom})s" for atom in atoms))
    for atom, values in zip(atoms, zip(*(line.split("|") for line in lines.splitlines()))):
        site.see(f"%({atom})s", list(values))


@scenario()
def atoms_of_time_and_process(site):
    lines = access_log_of(site, "--access-logformat", "%(t)s|%(D)s|%(M)s|%(L)s|%(p)s|100%%")
    forms = r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]\|\d+\|\d+\|0\.\d{6}\|<\d+>\|100%"
    site.see("forms", [bool(re.fullmatch(forms, line)) for line in lines.splitlines()])


@scenario(differs={"format": {"unknown atom": ("status 0, no word", "status 2, one line")}})
def a_format_that_is_wrong(site):
    site.fails("unknown atom", "--bind", "127.0.0.1:0", "--check-config", "--access-logformat", "%(z)s")


@scenario()
def the_access_log_on_standard_output(site):
    site.start("--access-logfile", "-")
    site.get()
    bye(site)


@scenario()
def log_level_warning(site):
    site.start_silently("--log-level", "warning")
    bye(site)


@scenario()
def usr1_opens_the_logs_again(site):
    error, access = site.folder / "error", site.folder / "access"
    site.logs = [site.folder / "error.1", error]
    site.start("--error-logfile", error, "--access-logfile", access)
    site.get("/before")
    wait_until(lambda: "/before" in access.read_text(), "a line")
    error.rename(site.folder / "error.1")
    access.rename(site.folder / "access.1")
    site.signal(signal.SIGUSR1)
    wait_until(lambda: error.exists() and access.exists(), "new files")

    def after():
        # Until the worker has taken the signal too, its lines go to the old file.
        site.get("/after")
        return "/after" in access.read_text()

    wait_until(after, "a line in the new file")
    site.see("lines in the old access log", (site.folder / "access.1").read_text().count('"GET /before '))
    site.see("lines in the new access log", access.read_text().count('"GET /before '))
    bye(site)
    for name in "error.1", "error":
        lines = (site.folder / name).read_text().splitlines()
        site.see(name, sorted(site.normal(*LINE.fullmatch(line).groups()[1:]) for line in lines))


@scenario()
def hup_opens_the_logs_again(site):
    error = site.folder / "error"
    site.logs = [site.folder / "error.1", error]
    site.start("--error-logfile", error)
    old = site.workers(1)
    error.rename(site.folder / "error.1")
    site.signal(signal.SIGHUP)
    site.ended(*old)
    wait_until(lambda: error.exists() and "Booting worker" in error.read_text(), "the new file")
    site.workers(1)
    bye(site)
