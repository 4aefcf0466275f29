"""How good were the alerts, judged by a world whose truth is known?

`python -m bench.score_alerts TRUTH.json < backtest.jsonl` reads the transitions that `backtest --json` prints; several
worlds are pooled with `python -m bench.score_alerts TRUTH.json... --alerts BACKTEST.jsonl...`. Only what begins after the
warm-up is judged, a notice is no page, and an alert that re-opens within 72 hours is no new page.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bench.world.kinds import MANY_DOMAINS, SINGLE_BLOCKS, Kind

FEWEST_REFUSED = 5
REOPEN = timedelta(hours=72)
ECHO = timedelta(hours=26)  # a page may come a day after the last refusal: the long window, and the wait
OLD_LIST_ECHO = timedelta(hours=26)
Z95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one incident refused at one domain."""

    kind: Kind
    domain: str
    refused: int
    refused_with_denominator: int
    begin: datetime
    fifth: datetime | None
    last: datetime

    def covers(self, at: datetime) -> bool:
        """Whether a page at this moment may be about this case."""
        return self.begin <= at <= self.last + ECHO


@dataclass(slots=True, kw_only=True)
class Alert:
    """One opening of a domain's alert."""

    opened: datetime
    closed: datetime | None = None
    is_reopened: bool = False
    has_rate: bool = True

    def is_open(self, at: datetime) -> bool:
        """Whether it was open at this moment."""
        return self.opened <= at and (self.closed is None or at < self.closed)


@dataclass(slots=True, kw_only=True)
class Tally:
    """How many there were and how many were found."""

    judged: int = 0
    found: int = 0
    minutes: list[float] = field(default_factory=list)  # from the fifth refused mail to the alert


@dataclass(slots=True, kw_only=True)
class Score:
    """All figures of one run."""

    domain_days: float = 0.0
    found: dict[str, Tally] = field(default_factory=dict)
    true_pages: int = 0
    false_noise: int = 0
    false_old_lists: int = 0
    true_without_rate: int = 0
    noise_without_rate: int = 0
    old_lists_without_rate: int = 0
    incidents_paged: int = 0
    lines_without_domain: int = 0

    def per_day(self, count: int) -> float:
        """Pages per day and 10,000 domains."""
        return 10_000 * count / self.domain_days


class Truth:
    """What really happened, asked by domain."""

    def __init__(self, raw: dict[str, object]) -> None:
        self.judged_from = _moment(raw["judged_from"])
        self.end = _moment(raw["end"])
        self.domains = int(str(raw["domains"]))
        self.cases = _cases(raw["incidents"])
        self._by_domain = _by_domain(self.cases)
        self._old_lists = _by_domain(_cases(raw["old_lists"]))

    @property
    def days(self) -> float:
        """How long is judged."""
        return (self.end - self.judged_from) / timedelta(days=1)

    def is_real(self, domain: str, at: datetime) -> bool:
        """Whether an incident of any size explains a page."""
        return any(case.covers(at) for case in self._by_domain.get(domain, ()))

    def is_old_list(self, domain: str, at: datetime) -> bool:
        """Whether an old list had just bounced there."""
        return any(case.begin <= at <= case.last + OLD_LIST_ECHO for case in self._old_lists.get(domain, ()))


def score(truth: Truth, lines: Iterable[str], result: Score) -> None:
    """Judge a run of transitions and add it to the result."""
    result.domain_days += truth.days * truth.domains
    alerts, incidents = _alerts(lines, result)
    result.incidents_paged += sum(at >= truth.judged_from for at in incidents.values())
    for case in truth.cases:
        if case.refused >= FEWEST_REFUSED and truth.judged_from <= case.begin < truth.end:
            _judge(case, alerts.get(case.domain, []), result.found.setdefault(_group(case), Tally()))
    for domain, openings in alerts.items():
        for alert in openings:
            if alert.opened >= truth.judged_from and not alert.is_reopened:
                _judge_page(truth, domain, alert, result)


def _group(case: Case) -> str:
    if case.refused_with_denominator < FEWEST_REFUSED:
        ten = "10 or more" if case.refused >= 2 * FEWEST_REFUSED else "5 to 9"
        return f"without denominator, {ten} refused"
    if case.kind in SINGLE_BLOCKS:
        return "single-domain blocks"
    return "affected domains of many-domain trouble" if case.kind in MANY_DOMAINS else "turnover spikes"


def _judge(case: Case, alerts: list[Alert], tally: Tally) -> None:
    tally.judged += 1
    hits = [alert.opened for alert in alerts if case.covers(alert.opened)]
    if hits and case.fifth is not None:
        tally.minutes.append(max(0.0, (min(hits) - case.fifth) / timedelta(minutes=1)))
    tally.found += bool(hits) or any(alert.is_open(case.begin) for alert in alerts)


def _judge_page(truth: Truth, domain: str, alert: Alert, result: Score) -> None:
    is_real = truth.is_real(domain, alert.opened)
    is_old_list = not is_real and truth.is_old_list(domain, alert.opened)
    is_noise = not is_real and not is_old_list
    if alert.has_rate:
        result.true_pages += is_real
        result.false_old_lists += is_old_list
        result.false_noise += is_noise
        return
    result.true_without_rate += is_real
    result.old_lists_without_rate += is_old_list
    result.noise_without_rate += is_noise


def _alerts(lines: Iterable[str], result: Score) -> tuple[dict[str, list[Alert]], dict[str, datetime]]:
    """Every opening by domain, and when each incident was first named."""
    alerts: dict[str, list[Alert]] = {}
    incidents: dict[str, datetime] = {}
    for line in lines:
        transition = json.loads(line)
        domain, at = transition["domain"], _moment(transition["at"])
        if domain is None:
            result.lines_without_domain += 1
            continue
        openings = alerts.setdefault(domain, [])
        last = openings[-1] if openings else None
        if transition["state"] == "resolved":
            if last is not None and last.closed is None:
                last.closed = at
        elif transition["severity"] != "notice" and (last is None or last.closed is not None):
            is_reopened = last is not None and last.closed is not None and at - last.closed <= REOPEN
            openings.append(Alert(opened=at, is_reopened=is_reopened, has_rate=transition["rate"] is not None))
            if not is_reopened:
                incidents.setdefault(transition["incident"] or f"{domain} {at}", at)
    return alerts, incidents


def _cases(raw: object) -> list[Case]:
    assert isinstance(raw, list)
    return [
        Case(
            kind=Kind(incident["kind"]),
            domain=domain,
            refused=here["refused"],
            refused_with_denominator=here["refused_with_denominator"],
            begin=_moment(here["first_refused_received_at"]),
            fifth=_moment(here["fifth_refused_at"]) if here["fifth_refused_at"] else None,
            last=_moment(here["last_refused_at"]),
        )
        for incident in raw
        for domain, here in incident["domains"].items()
    ]


def _by_domain(cases: list[Case]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(case.domain, []).append(case)
    return found


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def report(result: Score) -> str:
    """The figures in words."""
    lines = [f"judged: {result.domain_days / 10_000:.0f} days of 10,000 domains"]
    for group, tally in sorted(result.found.items()):
        share = tally.found / tally.judged
        error = Z95 * math.sqrt(share * (1 - share) / tally.judged)
        lines.append(f"{group}: {100 * share:.1f} % of {tally.judged} found (+- {100 * error:.1f})")
        if len(tally.minutes) > 1:
            p90 = statistics.quantiles(tally.minutes, n=10)[-1]
            lines.append(f"    minutes from the fifth refused mail: median {statistics.median(tally.minutes):.1f}, p90 {p90:.1f}")
    lines.append(f"false pages a day and 10,000 domains: {_false(result, result.false_noise, result.false_old_lists)}")
    blind = _false(result, result.noise_without_rate, result.old_lists_without_rate)
    lines.append(f"    without denominator: {blind}, and {result.true_without_rate} real ones")
    pages = result.true_pages + result.false_noise + result.false_old_lists
    lines.append(f"precision: {100 * result.true_pages / pages:.1f} % of {pages} domain pages" if pages else "precision: no pages")
    lines.append(f"pages a day, an incident counted once: {result.per_day(result.incidents_paged):.2f}")
    if result.lines_without_domain:
        lines.append(f"transitions without a domain, not judged: {result.lines_without_domain}")
    return "\n".join(lines) + "\n"


def _false(result: Score, noise: int, old_lists: int) -> str:
    each = f"noise {result.per_day(noise):.2f}, old lists {result.per_day(old_lists):.2f}"
    return f"{result.per_day(noise + old_lists):.2f} ({each})"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.score_alerts", description=__doc__)
    parser.add_argument("truth", type=Path, nargs="+")
    parser.add_argument("--alerts", type=Path, nargs="+", help="one file of transitions for each truth; standard input if not given")
    asked = parser.parse_args()
    runs = [path.read_text(encoding="utf-8").splitlines() for path in asked.alerts] if asked.alerts else [list(sys.stdin)]
    if len(runs) != len(asked.truth):
        parser.error(f"{len(asked.truth)} truths but {len(runs)} runs of transitions: give one --alerts file for each truth")
    result = Score()
    for truth, lines in zip(asked.truth, runs, strict=True):
        score(Truth(json.loads(truth.read_text(encoding="utf-8"))), lines, result)
    sys.stdout.write(report(result))


if __name__ == "__main__":
    main()
