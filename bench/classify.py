"""What does one reply cost the classifier, and how well does it read beside its peers?

Run as `python -m bench.classify`. Times are processor time, the best of several passes in one process. The made-up replies
are the tests' own; the development set is scored, and timed instead of them, where it lies beside the checkout.
"""

import csv
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path

from bench.results import Section, Table, shown
from bench.setting import Bench, say
from service.classify.engine import Classifier
from service.classify.gateways import GatewayTable
from service.classify.reply import Reply
from service.classify.rules import load_rules
from service.classify.scoring import Judged, Scores, score
from service.model.words import Label, SmtpStage

_LABELLED = Path(__file__).parents[2] / "shared" / "diagnostics-dev.tsv"
_MADE_UP = Path(__file__).parents[1] / "tests" / "unit" / "classify" / "replies.tsv"
_PASSES = 15

# Measured by others on an independent set of real replies; shares in per cent, "-" where nothing was published.
_PEERS = (
    ("best public text classifier", "68", "-", "-"),
    ("public classifiers, each", "-", "1-14", "those that err least leave 25-67 unanswered"),
    ("postalsys/bounce-classifier", "-", "14", "nearly always answers"),
    ("ZoneMTA rules", "-", "-", "42 in `other`, hard precision 51"),
    ("bare 5xx = hard", "-", "86", "-"),
)
_PEER_TIMES = (
    ("google-re2 set, 150 and 242 patterns", "2.9 and 4.9"),
    ("Python re, ordered loop, 150 and 242 patterns", "38 and 76"),
    ("Python re, one alternation", "530 and 929, and wrong"),
)


def load_classifier() -> Classifier:
    """Build the classifier that ships."""
    folder = files("service.classify")
    rules = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.joinpath("rules").iterdir() if entry.name.endswith(".toml")}
    return Classifier(load_rules(rules), GatewayTable.load(folder.joinpath("data/gateways.toml").read_text(encoding="utf-8")))


def load_judged() -> dict[str, list[tuple[Judged, Reply]]]:
    """Read the labelled replies by set: what the rules were tuned on, and what they never saw."""
    sets: dict[str, list[tuple[Judged, Reply]]] = {}
    if _LABELLED.exists():
        sets["development, tuned on"] = [_judged(row["text"], row["label"], row["ambiguous_hard"] == "yes", "") for row in _rows(_LABELLED)]
    for row in _rows(_MADE_UP):
        judged = _judged(row["text"], row["label"], row["doubt"] == "1", row["stage"])
        sets.setdefault("made up, tuned on" if row["set"] == "seen" else "made up, never looked at", []).append(judged)
    return sets


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def _judged(text: str, label: str, is_ambiguous_hard: bool, stage: str) -> tuple[Judged, Reply]:  # noqa: FBT001 - a column
    judged = Judged(text=text, label=Label(label), is_ambiguous_hard=is_ambiguous_hard)
    return judged, Reply(text=text, stage=SmtpStage(stage) if stage else None)


def best_us(passes: Iterable[Callable[[], object]], replies: int) -> float:
    """Give microseconds of processor time a reply, of the fastest pass."""
    fastest = float("inf")
    for work in passes:
        begun = time.process_time()
        work()
        fastest = min(fastest, time.process_time() - begun)
    return fastest / replies * 1e6


def timed(classifier: Classifier, replies: Sequence[Reply]) -> list[tuple[str, float]]:
    """Time what costs least, a reply seen before, up to what costs most, a wording that the process has never met."""
    count = len(replies)

    def read(some: Sequence[Reply]) -> None:
        for reply in some:
            classifier.classify(reply)

    def read_anew() -> None:
        classifier.forget()
        read(replies)

    first = best_us([lambda: read(replies)], count)
    again = best_us([lambda: read(replies)] * _PASSES, count)
    others = [[replace(reply, text=_with_ids(reply.text, turn)) for reply in replies] for turn in range(_PASSES)]
    known = best_us([partial(read, some) for some in others], count)
    return [
        ("warm, every reply seen before", again),
        ("warm, every wording seen before, ids and addresses new", known),
        ("warm, no reply and no wording kept", best_us([read_anew] * _PASSES, count)),
        ("cold, first sight of each wording", first),
    ]


def _with_ids(text: str, turn: int) -> str:
    """Put at the end what gateways put there: another server, address and id each time."""
    marks = hashlib.sha256(f"{turn} {text}".encode()).hexdigest()
    return f"{text} [203.0.113.{turn}] 7c{marks[:6]}1e-{marks[6:12]}2b3si{int(marks[12:18], 16)}"


def measure(bench: Bench) -> Section:
    """Time the rules' own examples, which every checkout has."""
    classifier = load_classifier()
    replies = [Reply(text=example) for rule in classifier.ruleset.rules for example in rule.examples]
    found = timed(classifier, replies)
    for name, microseconds in found:
        say(f"  {microseconds:8.1f} us a reply: {name}")
    rows = [(f"Hopp: {name}", shown(microseconds)) for name, microseconds in found]
    rows += [(f"{name} (published)", figure) for name, figure in _PEER_TIMES]
    return Section(
        key="classifier",
        title=f"Classifier: {len(classifier.ruleset.rules)} rules, the {len(replies)} replies that are their examples",
        body=(Table(head=("way", "µs a reply"), rows=rows),),
    )


def main() -> None:
    """Print times and scores."""
    classifier = load_classifier()
    sets = load_judged()
    replies = [reply for _, reply in next(iter(sets.values()))]
    print(f"{len(classifier.ruleset.rules)} rules, version {classifier.ruleset.version}, {len(replies)} replies")
    for name, microseconds in timed(classifier, replies):
        print(f"  {microseconds:8.1f} us a reply: {name}")
    for name, figure in _PEER_TIMES:
        print(f"  {figure:>8} us a reply: {name} (published)")
    for name, judged in sets.items():
        _print_scores(name, score([(row, classifier.classify(reply)) for row, reply in judged]))
    print("Peers on another, independent set, as published: coarse, false hard, beside")
    for name, coarse, false_hard, note in _PEERS:
        print(f"  {name}: {coarse}, {false_hard}, {note}")


def _print_scores(name: str, reached: Scores) -> None:
    print(f"{reached.rows} replies, {name}, in per cent:")
    for field in Scores.__slots__[1:]:
        print(f"  {getattr(reached, field) * 100:6.1f} {field.replace('_', ' ')}")


if __name__ == "__main__":
    main()
