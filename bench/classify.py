"""What does one reply cost the classifier, and how well does it read beside its peers?

Run as `python -m bench.classify`. Times are the best of several passes in one process, warm unless it says otherwise.
Scores need the labelled replies beside the checkout; without them the rules' own examples are timed and nothing is scored.
"""

import csv
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

from service.classify.engine import Classifier
from service.classify.gateways import GatewayTable
from service.classify.reply import Reply
from service.classify.rules import load_rules
from service.classify.scoring import Judged, Scores, score
from service.model.words import Label

_LABELLED = Path(__file__).parents[2] / "shared" / "diagnostics-dev.tsv"
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


def load_judged() -> list[Judged]:
    """Read the labelled replies; none where they are not beside the checkout."""
    if not _LABELLED.exists():
        return []
    with _LABELLED.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Judged(text=row["text"], label=Label(row["label"]), is_ambiguous_hard=row["ambiguous_hard"] == "yes") for row in rows]


def best_us(work: Callable[[], object], replies: int, passes: int = _PASSES) -> float:
    """Give microseconds a reply, of the fastest pass."""
    fastest = float("inf")
    for _ in range(passes):
        begun = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - begun)
    return fastest / replies * 1e6


def measure(classifier: Classifier, replies: Sequence[Reply]) -> list[tuple[str, float]]:
    """Time a first sight, a known wording and a known reply."""

    def once() -> None:
        for reply in replies:
            classifier.classify(reply)

    def without_cache() -> None:
        classifier.forget()
        once()

    first = best_us(once, len(replies), passes=1)
    return [
        ("warm, every reply seen before", best_us(once, len(replies))),
        ("warm, every wording seen before, no reply kept", best_us(without_cache, len(replies))),
        ("cold, first sight of each wording", first),
    ]


def main() -> None:
    """Print times and scores."""
    classifier = load_classifier()
    judged = load_judged()
    examples = [example for rule in classifier.ruleset.rules for example in rule.examples]
    replies = [Reply(text=row.text) for row in judged] or [Reply(text=text) for text in examples]
    print(f"{len(classifier.ruleset.rules)} rules, version {classifier.ruleset.version}, {len(replies)} replies")
    for name, microseconds in measure(classifier, replies):
        print(f"  {microseconds:8.1f} us a reply: {name}")
    for name, figure in _PEER_TIMES:
        print(f"  {figure:>8} us a reply: {name} (published)")
    if judged:
        _print_scores(score([(row, classifier.classify(Reply(text=row.text))) for row in judged]))


def _print_scores(reached: Scores) -> None:
    print(f"Hopp on the {reached.rows} replies that its rules were tuned on, in per cent:")
    for name in Scores.__slots__[1:]:
        print(f"  {getattr(reached, name) * 100:6.1f} {name.replace('_', ' ')}")
    print("Peers on another, independent set, as published: coarse, false hard, beside")
    for name, coarse, false_hard, note in _PEERS:
        print(f"  {name}: {coarse}, {false_hard}, {note}")


if __name__ == "__main__":
    main()
