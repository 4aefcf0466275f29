"""What is measured, and beside what? Hopp, a bare Flask view and django-anymail, each started as it is in production."""

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.traffic import CONFIG, SENDERS, Esp
from service.cli.supervise import web_command, worker_command
from service.settings import load_settings
from tests.e2e.serving import ROOT, environment_with, free_port, is_ready, run_command, stop, wait_until

_PEER_PYTHON = ROOT / ".venv-bench/bin/python"
_BARE = "bench.peers.bare:app"
_ANYMAIL = "bench.peers.anymail_app:application"


class PeerMissingError(Exception):
    """The peers are not installed: run `make bench`, which does that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Servers that answer at an address, and their process ids by name."""

    url: str
    pids: Mapping[str, int]
    paths: Mapping[Esp, str]
    start_seconds: float = 0.0  # until the first request was answered
    environment: Mapping[str, str] = field(default_factory=dict)

    def target(self, esp: Esp) -> str:
        """Where this ESP posts to."""
        return self.url + self.paths[esp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Where Hopp keeps what it gets."""

    database: str
    inbox: str

    @property
    def variables(self) -> dict[str, str]:
        return {"HOPP_DATABASE": self.database, "HOPP_INBOX": self.inbox}


def sqlite_in(folder: Path) -> Stores:
    """Both files in this folder, as in the embedded default."""
    return Stores(database=f"sqlite:///{folder}/hopp.sqlite", inbox=f"sqlite:///{folder}/inbox.sqlite")


def prepare(folder: Path, stores: Stores) -> dict[str, str]:
    """Write hopp.toml and make the tables; returns the environment of every command on these stores."""
    (folder / "hopp.toml").write_text(CONFIG, encoding="utf-8")
    environment = environment_with(HOPP_LOG_LEVEL="warning", **stores.variables)
    try:
        run_command(folder, environment, "migrate")
    except subprocess.CalledProcessError as error:
        raise RuntimeError(error.stderr) from error
    return environment


@contextmanager
def hopp(folder: Path, stores: Stores, *, workers: int = 1, extra: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Web and workers on fresh stores."""
    environment = prepare(folder, stores) | dict(extra or {})
    with ExitStack() as stack:
        pids = {f"worker {number + 1}": stack.enter_context(worker(folder, environment)) for number in range(workers)}
        running = stack.enter_context(web(folder, environment, web_command()))
        wait_until(lambda: is_ready(running.url), "Hopp is ready")
        yield Running(
            url=running.url,
            pids={**running.pids, **pids},
            paths={esp: f"/webhooks/{item.source}" for esp, item in SENDERS.items()},
            start_seconds=running.start_seconds,
            environment=environment,
        )


@contextmanager
def worker(folder: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """One worker; gives its process id."""
    with _started(folder, environment, worker_command(), "worker.log") as process:
        yield process.pid


@contextmanager
def web(folder: Path, environment: Mapping[str, str], command: Sequence[str], path: str = "/") -> Iterator[Running]:
    """A web server on a port that nobody listened on."""
    port = free_port()
    bound = {**environment, "HOPP_BIND": f"127.0.0.1:{port}"}
    begun = time.perf_counter()
    with _started(folder, bound, [item.replace("{bind}", f"127.0.0.1:{port}") for item in command], "web.log") as process:
        wait_until(lambda: _answers(port) or process.poll() is not None, "the web server answers")
        if process.poll() is not None:
            raise RuntimeError((folder / "web.log").read_text(encoding="utf-8"))
        seconds = time.perf_counter() - begun
        yield Running(
            url=f"http://127.0.0.1:{port}",
            pids={"web": process.pid},
            paths=dict.fromkeys(SENDERS, path),
            start_seconds=seconds,
            environment=bound,
        )


@contextmanager
def bare_flask(
    folder: Path, stores: Stores, *, view: str = _BARE, extra: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> Iterator[Running]:
    """A Flask view that keeps nothing, under the same gunicorn settings as Hopp would have on these stores, but for these options."""
    environment = environment_with(**stores.variables, **(extra or {}))
    command = web_command()
    if command[-1] != "wsgi:app":
        raise RuntimeError("the web is no longer started as gunicorn … wsgi:app, so a bare view cannot be put in its place")
    with web(folder, environment, [*command[:-1], *options, view]) as running:
        yield running


@contextmanager
def anymail(folder: Path, database: str) -> Iterator[Running]:
    """django-anymail, which saves each event with the Django ORM, under as many workers and threads as Hopp has there."""
    if not _PEER_PYTHON.exists():
        raise PeerMissingError(f"{_PEER_PYTHON} is not there. Run `make bench`, which installs the peers.")
    environment = environment_with(
        PEER_DATABASE=database,
        PEER_MAILGUN_KEY=SENDERS["mailgun"].keys.private,
        PEER_SENDGRID_KEY=SENDERS["sendgrid"].keys.trust.secrets[0],
    )
    python = str(_PEER_PYTHON)
    subprocess.run([python, "-m", "bench.peers.anymail_app"], cwd=folder, env=environment, check=True, timeout=60)
    ours = load_settings(Stores(database=database, inbox=database).variables)
    counts = [f"--workers={ours.web_processes}", f"--threads={ours.web_threads}"]
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else str(folder)  # noqa: S108 - as in gunicorn.conf.py
    plain = ["--worker-class=gthread", "--keep-alive=75", "--timeout=60", f"--worker-tmp-dir={shared}", "--no-control-socket"]
    command = [python, "-m", "gunicorn", "--bind={bind}", *plain, *counts, _ANYMAIL]
    with web(folder, environment, command) as running:
        paths: dict[Esp, str] = {"mailgun": "/anymail/mailgun/tracking/", "sendgrid": "/anymail/sendgrid/tracking/"}
        yield Running(url=running.url, pids=running.pids, paths=paths, start_seconds=running.start_seconds)


@contextmanager
def _started(folder: Path, environment: Mapping[str, str], command: Sequence[str], log_name: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / log_name).open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=dict(environment), stdout=log, stderr=log)
    try:
        yield process
    finally:
        stop(process)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            return probe.recv(12).startswith(b"HTTP/1.1 ")
    except OSError:
        return False
