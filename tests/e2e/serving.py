"""How does a test start Hopp as a person would, speak to it, and end exactly what it started?"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 60


@dataclass(slots=True)
class Service:
    """A running `serve`, in a folder of its own."""

    folder: Path
    environment: dict[str, str]
    url: str
    process: subprocess.Popen[bytes]

    def command(self, *arguments: str) -> str:
        """Standard output of another command on the same settings."""
        return run_command(self.folder, self.environment, *arguments)

    def children(self, word: str) -> list[psutil.Process]:
        """Processes below `serve` whose command line holds this word."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in found if word in _command_line(child)]

    def restart(self) -> None:
        """End what is left, and start again in the same folder."""
        stop(self.process)
        self.process = _start(self.folder, self.environment)
        wait_until(lambda: is_ready(self.url), "the service is ready again")


def run_command(folder: Path, environment: dict[str, str], *arguments: str) -> str:
    """Standard output of one command."""
    line = [sys.executable, "-m", "service", *arguments]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout


def environment_with(**variables: str) -> dict[str, str]:
    """This process's environment, but with no other Hopp's settings in it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HOPP_")}
    return inherited | {"PYTHONPATH": str(ROOT)} | variables


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def free_port() -> int:
    """A TCP port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = _PATIENCE_SECONDS) -> None:
    """Wait for something that other processes do; the limit is there to end a test that would hang."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            message = f"waited {seconds:.0f} s, but not: {what}"
            raise AssertionError(message)
        time.sleep(0.05)


def is_ready(url: str) -> bool:
    """True once the service says so."""
    try:
        return urllib3.request("GET", f"{url}/readyz", retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@contextmanager
def serving(folder: Path, config: str, **variables: str) -> Iterator[Service]:
    """Run `serve` with this hopp.toml until the block ends."""
    (folder / "hopp.toml").write_text(config, encoding="utf-8")
    port = free_port()
    environment = environment_with(HOPP_BIND=f"127.0.0.1:{port}", **variables)
    if "HOPP_DATABASE" in variables:  # only the embedded default migrates itself
        run_command(folder, environment, "migrate")
    url = f"http://127.0.0.1:{port}"
    service = Service(folder, environment, url, _start(folder, environment))
    try:
        wait_until(lambda: is_ready(url) or service.process.poll() is not None, "the service is ready")
        assert service.process.poll() is None, (folder / "serve.log").read_text(encoding="utf-8")
        yield service
    finally:
        stop(service.process)


def _start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "serve.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "service", "serve"], cwd=folder, env=environment, stdout=log, stderr=log)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End `serve` and all below it, politely first."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(timeout=45)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in family:
        if child.is_running():
            child.kill()
    psutil.wait_procs(family, timeout=10)
