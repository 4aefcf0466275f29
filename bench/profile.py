"""Where does a microsecond go? Looks at what runs at each tick of CPU time: in the web for one post, in the worker for one event.

In a process of its own and on its main thread, where the timer's signal arrives: `python -m bench.profile web|worker URL COUNT` prints
the looks by place as JSON. A place is the innermost module of Hopp on the stack, and the package that it called.
"""

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from types import FrameType
from typing import cast

from bench.process import BATCH, batches_of, feed, tools_on
from bench.results import Section, Table, shown
from bench.servers import Stores, prepare
from bench.setting import Bench, postgres, say
from bench.traffic import Mail, posts
from service.web.answers import Answer
from service.web.gate import Gate
from service.web.plain import read_plain_head, write_answer
from tests.e2e.serving import ROOT, environment_with

_EVERY_SECONDS = 0.001
_AT_ONCE = 32
_ELSEWHERE = "the rest"
_SHOWN = 14
_SERVICE = f"{ROOT}{os.sep}service{os.sep}"
_PACKAGES = sysconfig.get_paths()["purelib"] + os.sep
_TARGET = "http://127.0.0.1:8000/webhooks/test-mailgun"
_WORDS = (
    "CPU of the Python process alone, by the innermost module of Hopp and the package that it called; what gunicorn's loop does around "
    "it is not in it, nor is the database server. The web gets 32 posts at once; where its loop waits, the place is the writing thread's."
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
    return package or _ELSEWHERE


@contextmanager
def looking() -> Iterator[Counter[str]]:
    """Count the places while the block runs."""
    looks: Counter[str] = Counter()

    def look(_number: int, frame: FrameType | None) -> None:
        place = place_of(frame)
        if place == _ELSEWHERE:  # the time is another thread's
            own = threading.get_ident()
            frames = (frame for thread, frame in sys._current_frames().items() if thread != own)  # noqa: SLF001 - Python's only way to look
            place = next((found for frame in frames if (found := place_of(frame)) != _ELSEWHERE), _ELSEWHERE)
        looks[place] += 1

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
    """Hand posts to the very gate that gunicorn's worker hands them to, as many at once as there are connections in the other parts."""
    from wsgi import app  # noqa: PLC0415 - it reads its settings when imported

    gate = cast("Gate", app.wsgi_app)
    statuses: Counter[int] = Counter()
    requests = iter(list(posts("mailgun", _TARGET, seed=1, count=count)))
    answers: SimpleQueue[Answer] = SimpleQueue()
    with looking() as looks:
        began = time.process_time()
        while together := list(islice(requests, _AT_ONCE)):
            for request in together:
                end = request.index(b"\r\n\r\n") + 4
                head = read_plain_head(request[:end])
                assert head is not None
                assert gate.begin(head, request[end:], "127.0.0.1", answers.put)
            for _ in together:
                answer = answers.get()
                statuses[answer.status] += 1
                write_answer(answer, is_kept=True)
        seconds = time.process_time() - began
    assert statuses == {200: count}, statuses
    return Profile(us=seconds / count * 1e6, looks=looks)


def main() -> None:
    """Profile one part and print it."""
    part, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    found = web_profile(count) if part == "web" else worker_profile(url, count)
    print(json.dumps({"us": found.us, "looks": found.looks}))


if __name__ == "__main__":
    main()
