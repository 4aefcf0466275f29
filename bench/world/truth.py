"""What has the scorer to know about a world?"""

from bench.world.clock import DAY, NEVER, stamp
from bench.world.simulate import World
from bench.world.sources import SOURCES
from bench.world.trouble import Refusal, Trouble

WARM_UP_DAYS = 28
FIFTH = 5


def truth_of(world: World, *, seed: int, domains: int, days: int) -> dict[str, object]:
    """Everything that happened, per incident and domain, ready to be written as JSON."""
    return {
        "seed": seed,
        "domains": domains,
        "days": days,
        "start": stamp(0),
        "judged_from": stamp(min(WARM_UP_DAYS, days) * DAY),
        "end": stamp(days * DAY),
        "sources": [{"name": source.name, "esp": source.esp, "reports_delivered": source.reports_delivered} for source in SOURCES],
        "incidents": [_incident(trouble) for trouble in world.troubles.all if trouble.refusals],
        "old_lists": [_incident(trouble) for trouble in world.old_lists.values()],
    }


def _incident(trouble: Trouble) -> dict[str, object]:
    return {
        "number": trouble.number,
        "kind": trouble.kind,
        "key": list(trouble.key),
        "start": stamp(trouble.start),
        "end": stamp(trouble.end) if trouble.end < NEVER else None,
        "domains": {name: _domain(refusals) for name, refusals in sorted(trouble.refusals.items())},
    }


def _domain(refusals: list[Refusal]) -> dict[str, object]:
    known = [refusal for refusal in refusals if refusal.has_denominator]
    fifth = sorted(refusals, key=lambda refusal: refusal.happened)[FIFTH - 1 : FIFTH]
    return {
        "refused": len(refusals),
        "refused_with_denominator": len(known),
        "first_refused_at": stamp(min(refusal.happened for refusal in refusals)),
        "first_refused_received_at": stamp(min(refusal.received for refusal in refusals)),
        "fifth_refused_at": stamp(fifth[0].happened) if fifth else None,
        "last_refused_at": stamp(max(refusal.happened for refusal in refusals)),
    }
