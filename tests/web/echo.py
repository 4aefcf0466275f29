"""A gunicorn with our worker and an application that sends back what it gets, and how a test speaks to it over a bare socket."""

import socket
import subprocess
import sys
from pathlib import Path

from tests.e2e.serving import environment_with, free_port, wait_until

THREADS = 2
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
_APP = """
def app(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return (body,)
"""
_CONFIG = """
from service.web import worker
worker.REQUEST_SECONDS = worker.LARGE_SECONDS = worker.ANSWER_SECONDS = worker.LINGER_SECONDS = {seconds}
worker_class = "service.web.worker.GatheringWorker"
threads = {threads}
bind = "127.0.0.1:{port}"
control_socket_disable = True
"""


class Server:
    """A gunicorn with two threads that sends back what it gets."""

    def __init__(self, folder: Path, request_seconds: float, more: str = "") -> None:
        self.port = free_port()
        (folder / "echo.py").write_text(_APP)
        (folder / "conf.py").write_text(_CONFIG.format(seconds=request_seconds, threads=THREADS, port=self.port) + more)
        line = [sys.executable, "-m", "gunicorn", "--config", "conf.py", "echo:app"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(line, cwd=folder, env=environment_with(), stdout=log, stderr=log)
        wait_until(self._listens, "gunicorn listens")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def open(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self) -> int:
        """End it; returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)


def post(body: bytes, *headers: str) -> bytes:
    """A request as it goes over the wire."""
    return "\r\n".join(("POST / HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", "")).encode() + body


def answer(connection: socket.socket, length: int) -> tuple[int, bytes]:
    """Status and body."""
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        while file.readline().strip():
            pass
        return status, file.read(length)
