"""How do web and worker run side by side? Two processes of ours: a worker that dies is started again, a stop reaches both."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import structlog

from service.settings import Settings

log = structlog.get_logger()
_ROOT = Path(__file__).resolve().parents[2]
_POLL_SECONDS = 0.2
_RESTART_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)
_STEADY_SECONDS = 60.0  # a worker that ran so long is no longer failing at its start
_STOP_SECONDS = 40.0  # longer than gunicorn's graceful time-out


def web_command() -> list[str]:
    """The command that starts the web."""
    return [sys.executable, "-m", "gunicorn", "--config", str(_ROOT / "gunicorn.conf.py"), "--pythonpath", str(_ROOT), "wsgi:app"]


def worker_command() -> list[str]:
    """The command that starts a worker."""
    return [sys.executable, "-m", "service", "worker"]


def supervise(settings: Settings) -> int:
    """Run both until one is told to stop or the web ends; returns the exit code."""
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))}
    stop = _StopSignal()
    web = subprocess.Popen(web_command(), env=environment)
    worker = _Restarted(worker_command(), environment)
    try:
        while not stop.is_set and web.poll() is None:
            worker.keep_running()
            time.sleep(_POLL_SECONDS)
        if not stop.is_set:
            log.error("web_ended", exit_code=web.returncode, bind=settings.bind, hint="is the port taken?")
    finally:
        _stop_all((web, worker.process))
    return 0 if stop.is_set else web.returncode or 1


class _Restarted:
    """A process that is started again when it ends, less often the more often it fails at once."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._command, self._environment = command, environment
        self._failures = 0
        self._restart_at: float | None = None
        self._start()

    def _start(self) -> None:
        self.process = subprocess.Popen(self._command, env=self._environment)
        self._started_at = time.monotonic()
        self._restart_at = None

    def keep_running(self) -> None:
        """Look after it; never waits."""
        if self.process.poll() is None:
            return
        now = time.monotonic()
        if self._restart_at is None:
            self._failures = 0 if now - self._started_at > _STEADY_SECONDS else self._failures
            wait_seconds = _RESTART_SECONDS[min(self._failures, len(_RESTART_SECONDS) - 1)]
            self._failures += 1
            self._restart_at = now + wait_seconds
            log.error("worker_ended", exit_code=self.process.returncode, restart_in_seconds=wait_seconds)
        elif now >= self._restart_at:
            self._start()


class _StopSignal:
    """Set by SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self.is_set = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._set)

    def _set(self, _number: int, _frame: FrameType | None) -> None:
        self.is_set = True


def _stop_all(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask politely, wait, and only then insist."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
