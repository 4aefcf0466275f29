"""What does a request cost that commits for itself? Keeps the body in SQLite, durably, and answers 204.

One connection and one lock: requests wait their turn, which is faster than SQLite's own way of trying again.
"""

import os
import sqlite3
from threading import Lock

from flask import Flask, Response, request

app = Flask("commit_each")
_lock = Lock()
_connection = sqlite3.connect(os.environ["PEER_FILE"], check_same_thread=False, isolation_level=None)
for _statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE IF NOT EXISTS kept (body BLOB)"):
    _connection.execute(_statement).close()


@app.post("/")
def take() -> Response:
    """Keep the body, then answer."""
    body = request.get_data(cache=False)
    with _lock:
        _connection.execute("INSERT INTO kept VALUES (?)", (body,)).close()
    return Response(status=204)


@app.get("/healthz")
def live() -> Response:
    """There."""
    return Response(status=204)
