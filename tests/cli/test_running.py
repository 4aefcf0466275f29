"""What does `serve` say when it cannot start?"""

import socket
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from service.cli.first_start import write_demo_config
from tests.e2e.posting import sender
from tests.e2e.serving import environment_with, free_port, serving

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


def test_a_second_service_on_the_same_files_refuses_to_start(tmp_path: Path) -> None:
    one = sender("generic")
    with serving(tmp_path, one.config, HOPP_LOG_FORMAT="json") as service:
        elsewhere = service.environment | {"HOPP_BIND": f"127.0.0.1:{free_port()}"}
        for command in ("serve", "worker"):
            line = [sys.executable, "-m", "service", command]
            done = subprocess.run(line, cwd=tmp_path, env=elsewhere, capture_output=True, text=True, check=False, timeout=60)
            assert (done.returncode, "stop the other" in done.stderr) == (2, True)
        assert one.post(service.url, b"{}") == 200
    lines = [orjson.loads(line) for line in (tmp_path / "serve.log").read_text().splitlines() if line.startswith("{")]
    assert {"gunicorn.error"} <= {line["logger"] for line in lines}, "the server's own lines have the form of all others"


def test_what_the_first_start_makes_is_closed_to_others(tmp_path: Path) -> None:
    write_demo_config(tmp_path)
    assert (tmp_path / "var").stat().st_mode & 0o777 == 0o700
