"""What does `serve` say when it cannot start?"""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.serving import environment_with

pytestmark = pytest.mark.enable_socket


def test_a_port_that_is_taken_stops_the_start_before_anything_is_written(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = environment_with(HOPP_BIND=f"127.0.0.1:{taken.getsockname()[1]}")
        line = [sys.executable, "-m", "service", "serve"]
        done = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 1
    assert "already. Stop that" in done.stderr
    assert list(tmp_path.iterdir()) == []
