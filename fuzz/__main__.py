"""`make fuzz`: each adapter, for a while, on what atheris makes of its samples.

What it learns stays below var/fuzz, so that the next run goes on from there; what breaks an adapter is kept there too, and
`.venv-fuzz/bin/python -m fuzz.target ESP FILE` shows it again.
"""

import argparse
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from fuzz.posts import sample_posts
from service.esp import adapters

_ROOT = Path("var/fuzz")
_WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]{2,40}")
_LAST = re.compile(r"#(\d+)\s+\S+\s+cov: (\d+)")
_SLOWEST_SECONDS = 10  # for one input; the worker would stand still for that long
_LONGEST_BYTES = 8_000  # the longest sample is shorter
_MEGABYTES = 1_500
_GRACE_SECONDS = 120


def main() -> int:
    """Fuzz the adapters that are named, or all; 0 where nothing was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Look for input that breaks an adapter.")
    parser.add_argument("--seconds", type=int, default=60, help="for each adapter")
    parser.add_argument("esps", nargs="*", metavar="ESP", help="which adapters; all where none is named")
    asked = parser.parse_args()
    unknown = [esp for esp in asked.esps if esp not in adapters()]
    if unknown:
        parser.error(f"There is no adapter {unknown[0]!r}. There are {', '.join(adapters())}.")
    found = [esp for esp in asked.esps or adapters() if not _fuzz(esp, asked.seconds)]
    print(f"broken: {', '.join(found)}" if found else "nothing found")
    return 1 if found else 0


def _fuzz(esp: str, seconds: int) -> bool:
    """Run one adapter and print a line; False where something broke it."""
    folder = _ROOT / esp
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    words = _prepare(esp, folder, corpus)
    options = {
        "max_total_time": seconds,
        "timeout": _SLOWEST_SECONDS,
        "max_len": _LONGEST_BYTES,
        "rss_limit_mb": _MEGABYTES,
        "dict": words,
        "artifact_prefix": f"{folder}/",
        "reload": 0,
    }
    given = [f"-{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "fuzz.target", esp, *given, str(corpus)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds + _GRACE_SECONDS, check=False)
    log = folder / "log.txt"
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    reached = _LAST.findall(done.stderr)
    runs, coverage = reached[-1] if reached else ("0", "0")
    is_sound = done.returncode == 0
    print(f"{esp:14} {int(runs):>9,} inputs, {coverage:>5} branches reached  {'ok' if is_sound else f'BROKEN, see {log}'}", flush=True)
    return is_sound


def _prepare(esp: str, folder: Path, corpus: Path) -> Path:
    """Write the samples as the first inputs, and all their words as the fuzzer's dictionary, the names of the fields among them."""
    posts = sample_posts(esp)
    for post in posts:
        raw = post.written()
        (corpus / sha256(raw).hexdigest()[:40]).write_bytes(raw)
    path = folder / "words.dict"
    words = {word for post in posts for word in _WORD.findall(post.body)}
    path.write_bytes(b"".join(b'"' + word + b'"\n' for word in sorted(words)))
    return path


if __name__ == "__main__":
    sys.exit(main())
