"""How does gunicorn serve the web?

One loop gathers requests, so that slow senders hold up nobody, and takes posts in itself; threads serve all else. How many
processes and threads is a setting: one process where the inbox is SQLite, which has one writer.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from service.settings import SettingsError, load_settings
from service.telemetry.logs import configure_logs

try:
    _settings = load_settings(os.environ)
except SettingsError as error:
    sys.exit(str(error))

wsgi_app = "wsgi:app"
bind = _settings.bind
worker_class = "service.web.worker.GatheringWorker"
workers = _settings.web_processes
threads = _settings.web_threads
preload_app = False  # database connections must not be shared over a fork

keepalive = 75  # ESPs and proxies reuse connections; the side that closes first may cut a request that is on its way
timeout = 60  # a process that gives no sign for so long is replaced
graceful_timeout = 30  # a request in hand is finished when we are told to stop

limit_request_line = 4094  # secrets in a query are short; nobody signs a longer address
limit_request_fields = 100
limit_request_field_size = 8190  # bodies are limited by the web, after their declared length and while they inflate

accesslog = None  # an address may stand in a path or a query
loglevel = _settings.log_level
logger_class = "service.web.server_log.ServerLog"
configure_logs(_settings.log_format, _settings.log_level)
control_socket_disable = True  # it would want a writable home
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # the heartbeat must not wait for a disk

if workers > 1:
    # Each process counts for itself; through files in this folder /metrics adds them up. Set before the app is imported.
    _metrics_folder = tempfile.TemporaryDirectory(prefix="hopp-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder.name


def child_exit(_server: Any, worker: Any) -> None:  # noqa: ANN401 - gunicorn's own types are not exported
    """Forget the gauges of a process that has ended; its counts stay."""
    if workers > 1:
        from prometheus_client import multiprocess  # noqa: PLC0415 - it reads the folder's name when imported

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # untyped in prometheus_client
