"""Does it matter that 80 % of the mail goes to one domain? To one worker, and to two that work side by side."""

from dataclasses import replace
from statistics import median

from bench.backlog import drained, filled
from bench.process import cost
from bench.results import Goal, Section, Table, shown
from bench.setting import Bench, postgres, say
from bench.traffic import Mail

_SHARES = (0.8, 0.0)


def measure(bench: Bench) -> Section:
    """Hot and spread in turn."""
    events = bench.count(20_000, least=1_000)
    us: dict[float, list[float]] = {share: [] for share in _SHARES}
    rates: dict[float, list[float]] = {share: [] for share in _SHARES}
    with postgres() as (server, postmaster):
        for _ in range(bench.repeats):
            for share in _SHARES:
                with server.databases.fresh() as url:
                    us[share].append(cost(url, events, postmaster, replace(Mail(), hot_share=share)).us)
                with filled(bench, server, events, Mail(hot_share=share)) as url:
                    rates[share].append(drained(bench, url, events, workers=2, postmaster=postmaster).per_second)
                say(f"  {share:.0%} for one domain: {us[share][-1]:.1f} us an event, {rates[share][-1]:,.0f} a second by two workers")
    hot, spread = _SHARES
    one = [right / left for left, right in zip(us[hot], us[spread], strict=True)]
    two = [left / right for left, right in zip(rates[hot], rates[spread], strict=True)]
    goals = (
        Goal(what="one worker: speed with 80 % for one domain / with none, by CPU", wanted=0.85, reached=one),
        Goal(what="two workers: drain with 80 % for one domain / with none", wanted=0.85, reached=two, bound="They wait for one row."),
    )
    rows = [(f"{share:.0%}", shown(median(us[share])), shown(median(rates[share]))) for share in _SHARES]
    return Section(
        key="hot-domain",
        title="One domain gets most of the mail, PostgreSQL",
        goals=goals,
        body=(Table(head=("share of one domain", "µs an event", "events a second, two workers"), rows=rows),),
    )
