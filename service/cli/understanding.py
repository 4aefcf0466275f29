"""Are the rules sound, and do they understand what comes?"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from service.alerting.drift import Drift, Replies
from service.bootstrap import Hopp
from service.cli.findings import Finding, fail, ok, warn
from service.model.errors import HoppError
from service.settings import SettingsError
from service.store.reading.drift import Understanding
from service.store.reading.health import Health

_WHAT = "answers"


def examine_rules(hopp: Hopp, health: Health | None, now: datetime) -> Iterator[Finding]:
    """The rules of the classifier, and whether more answers than usual say nothing that they know."""
    own = hopp.settings.own_rules
    try:
        rules = hopp.labels().classifier.ruleset
    except (HoppError, SettingsError) as error:
        yield fail("rules", str(error), "Mend that rule: docs/own-rules.md")
        return
    yield ok("rules", f"{len(rules.rules)} rules, version {rules.version}{f', with those of {own}' if own else ''}")
    if health is not None:
        yield from _answers(health, now)


def _answers(health: Health, now: datetime) -> Iterator[Finding]:
    day_ago = (now - timedelta(days=1)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    found = [(f"of source {item.name}", f" --source {item.name}", item) for item in health.understood.sources]
    found += [(f"of gateway {item.name}", "", item) for item in health.understood.gateways]
    jumped = [(whose, narrowed, item) for whose, narrowed, item in found if item.drift is Drift.JUMPED]
    for whose, narrowed, item in jumped:
        next_step = f"See their wordings: python -m service classify --report --since {day_ago}{narrowed}"
        yield warn(_WHAT, f"{_compared(item)}: {whose}", f"{next_step}; then write a rule (docs/own-rules.md)")
    if not jumped:
        today = sum((item.today for item in health.understood.sources), Replies())
        told = f"{_percent(today)} of {today.answered} in 24 h are undetermined" if today.answered else "none in 24 h"
        yield ok(_WHAT, told)


def _compared(item: Understanding) -> str:
    return f"{_percent(item.today)} of {item.today.answered} in 24 h are undetermined, {_percent(item.before)} in the 28 days before"


def _percent(replies: Replies) -> str:
    return f"{replies.share:.1%}"
