"""Where does a microsecond go? Looks at what runs at each tick of CPU time: in the web for one post, in the worker for one event.

In a process of its own and on its main thread, where the timer's signal arrives: `python -m bench.profile web|worker URL COUNT` prints
the looks by place as JSON. A place is the innermost module of Hopp on the stack, and the package that it called.
"""

import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from bench.process import BATCH, batches_of, feed, tools_on
from bench.results import Section, Table, shown
from bench.servers import Stores, prepare
from bench.setting import Bench, postgres, say
from bench.traffic import Mail, posts
from tests.e2e.serving import ROOT, environment_with

_EVERY_SECONDS = 0.001
_SHOWN = 14
_SERVICE = f"{ROOT}{os.sep}service{os.sep}"
_PACKAGES = sysconfig.get_paths()["purelib"] + os.sep
_TARGET = "http://127.0.0.1:8000/webhooks/test-mailgun"
_WORDS = (
    "CPU of the Python process alone, by the innermost module of Hopp and the package that it called; gunicorn is not in it (bare "
    "Flask above is gunicorn with next to nothing behind it), nor is the database server. The web gets one post after the other, "
    "so each is a commit of its own: under load those of many posts are one, and keeping costs less than here."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """CPU of one post or event, and the looks at each place."""

    us: float
    looks: Mapping[str, int]


def measure(bench: Bench) -> Section:
    """Web and worker, on PostgreSQL."""
    body: list[str | Table] = [_WORDS]
    with postgres() as (server, _):
        for part, words, count in (("web", "a post", bench.count(16_000)), ("worker", "an event", bench.count(60_000, least=2 * BATCH))):
            with server.databases.fresh() as url, bench.fresh_folder() as folder:
                prepare(folder, Stores(database=url, inbox=url))
                profile = _profiled(part, url, count, folder)
            say(f"  {part:<8} {profile.us:.1f} us each, {sum(profile.looks.values())} looks")
            body += [f"**{part.capitalize()}**: {shown(profile.us)} µs of CPU {words}.", _table(profile, words)]
    return Section(key="profile", title="Where a microsecond goes", body=body)


def _profiled(part: str, url: str, count: int, folder: Path) -> Profile:
    command = [sys.executable, "-m", "bench.profile", part, url, str(count)]
    environment = environment_with(HOPP_DATABASE=url, HOPP_INBOX=url, HOPP_LOG_LEVEL="warning")
    done = subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return Profile(**json.loads(done.stdout))


def _table(profile: Profile, words: str) -> Table:
    ordered = sorted(profile.looks.items(), key=lambda item: -item[1])
    total = sum(profile.looks.values())
    rows = [(place, shown(looks / total * profile.us), f"{looks / total:.0%}") for place, looks in ordered[:_SHOWN]]
    rest = sum(looks for _, looks in ordered[_SHOWN:])
    rows.append((f"{len(ordered[_SHOWN:])} more places", shown(rest / total * profile.us), f"{rest / total:.0%}"))
    return Table(head=("place", f"µs {words}", "share"), rows=rows)


def place_of(frame: FrameType | None) -> str:
    """The innermost module of Hopp on this stack, and the package below it."""
    package = ""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_SERVICE):
            module = name.removeprefix(_SERVICE).removesuffix(".py").replace(os.sep, ".")
            return f"{module} > {package}" if package else module
        if name.startswith(_PACKAGES):
            package = Path(name).relative_to(_PACKAGES).parts[0].removesuffix(".py")
        frame = frame.f_back
    return package or "the rest"


@contextmanager
def looking() -> Iterator[Counter[str]]:
    """Count the places while the block runs."""
    looks: Counter[str] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        looks[place_of(frame)] += 1

    before = signal.signal(signal.SIGPROF, look)
    signal.setitimer(signal.ITIMER_PROF, _EVERY_SECONDS, _EVERY_SECONDS)
    try:
        yield looks
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def worker_profile(url: str, events: int) -> Profile:
    """Process stored deliveries."""
    mail = replace(Mail(), newest=datetime.now(UTC))
    with tools_on(url) as tools:
        feed(tools, batches_of(range(BATCH), seed=0, total=BATCH, mail=mail), None)
        batches = batches_of(range(events), seed=1, total=events, mail=mail)
        with looking() as looks:
            cost = feed(tools, batches, None)
    return Profile(us=cost.worker_us, looks=looks)


def web_profile(count: int) -> Profile:
    """Hand posts to the very application that gunicorn serves, one after the other."""
    from wsgi import app  # noqa: PLC0415 - it reads its settings when imported

    statuses: Counter[str] = Counter()

    def note(status: str, _headers: object, _error: object = None) -> Callable[[bytes], object]:
        statuses[status[:1]] += 1
        return bytes

    environs = [_environ(post) for post in posts("mailgun", _TARGET, seed=1, count=count)]
    with looking() as looks:
        began = time.process_time()
        for environ in environs:
            b"".join(app(environ, note))
        seconds = time.process_time() - began
    assert statuses == {"2": count}, statuses
    return Profile(us=seconds / count * 1e6, looks=looks)


def _environ(post: bytes) -> dict[str, object]:
    """What gunicorn makes of a post."""
    head, _, body = post.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    place = urlsplit(_TARGET)
    environ: dict[str, object] = {
        "REQUEST_METHOD": first.split(" ", maxsplit=1)[0],
        "SCRIPT_NAME": "",
        "PATH_INFO": place.path,
        "RAW_URI": place.path,
        "QUERY_STRING": "",
        "SERVER_NAME": place.hostname or "",
        "SERVER_PORT": str(place.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for line in lines:
        name, _, value = line.partition(": ")
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    return environ


def main() -> None:
    """Profile one part and print it."""
    part, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    found = web_profile(count) if part == "web" else worker_profile(url, count)
    print(json.dumps({"us": found.us, "looks": found.looks}))


if __name__ == "__main__":
    main()
