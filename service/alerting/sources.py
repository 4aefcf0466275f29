"""Is a source well, has it gone silent, or are its posts refused; and what becomes of the alert about it?

    (no alert) --it is so--> firing --proof of the contrary, or nobody watches it any more--> resolved --so again within days--> firing

A refused source is never called silent as well: one alert says what to mend.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from service.alerting.rhythm import NoRhythm, Rhythm
from service.model.moments import HOUR_US
from service.model.words import AlertState, Severity

SHORT_HOURS, LONG_HOURS = 2, 24
_REFUSED_LEAST = 10  # posts: a scanner that comes by is no key that has changed
_REFUSED_SHARE = 0.5
_WELL_SHARE = 0.3
_WELL_LEAST = 5  # accepted posts that outweigh what was refused earlier in the day
_REOPEN_US = 72 * HOUR_US


class SourceTrouble(StrEnum):
    """What a source alert is about."""

    SILENT = "source_silent"
    REFUSED = "source_refused"


class SourceState(StrEnum):
    """How a source is doing."""

    REGULAR = "regular"
    LEARNING = "learning"
    IRREGULAR = "irregular"
    SILENT = "silent"
    REFUSED = "refused"


class SourceChange(StrEnum):
    """Why a source alert changed."""

    OPENED = "opened"
    REOPENED = "reopened"
    REFRESHED = "refreshed"  # figures only: no transition
    RECOVERED = "recovered"
    EXPIRED = "expired"  # nothing was refused for a day, and nothing accepted either
    UNWATCHED = "unwatched"  # taken out of the settings, or marked as a test


@dataclass(frozen=True, slots=True)
class Posts:
    """Posts of a source in some hours."""

    accepted: int = 0
    refused: int = 0
    challenged: int = 0  # came without a password and were asked for it

    def __add__(self, other: "Posts") -> "Posts":
        return Posts(self.accepted + other.accepted, self.refused + other.refused, self.challenged + other.challenged)

    @property
    def unproven(self) -> int:
        """Posts that did not prove where they come from. Some senders never give their password before they are asked, and then do."""
        return self.refused + max(self.challenged - self.accepted, 0)

    @property
    def unproven_share(self) -> float:
        """The same among all posts."""
        return self.unproven / (self.accepted + self.unproven) if self.unproven else 0.0

    @property
    def are_mostly_refused(self) -> bool:
        """True where so many prove nothing that the source's secret does not fit any more."""
        return self.unproven >= _REFUSED_LEAST and self.unproven_share > _REFUSED_SHARE

    @property
    def are_mostly_accepted(self) -> bool:
        """True where something was accepted and little refused."""
        return self.accepted > 0 and self.unproven_share <= _WELL_SHARE


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """All that is looked at to judge one source."""

    rhythm: Rhythm | NoRhythm
    last_hour: int | None  # of its last accepted post; None: there never was one
    now_hour: int
    watched_from_hour: int = 0  # before it nobody was there to take a post
    short: Posts = Posts()
    long: Posts = Posts()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """How a source is doing, and the figures that say so."""

    state: SourceState
    last_hour: int | None
    missed_hours: float  # hours with expected posts since the last one
    allowed_hours: float | None  # so many are silence; None without a rhythm
    short: Posts
    long: Posts

    @property
    def trouble(self) -> SourceTrouble | None:
        """What an alert would be about."""
        return {SourceState.SILENT: SourceTrouble.SILENT, SourceState.REFUSED: SourceTrouble.REFUSED}.get(self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceAlert:
    """One trouble of one source: its state, and the figures of when it was last seen."""

    trouble: SourceTrouble
    state: AlertState
    severity: Severity
    last_hour: int | None
    missed_hours: float
    allowed_hours: float | None
    accepted: int  # in the long window
    refused: int
    opened_us: int
    last_true_us: int
    closed_us: int | None = None
    close_reason: SourceChange | None = None
    reopen_count: int = 0


def judge_source(view: SourceView) -> SourceHealth:
    """How the source is doing right now."""
    rhythm, missed_hours, allowed_hours = view.rhythm, 0.0, None
    if isinstance(rhythm, Rhythm) and view.last_hour is not None:
        heard_hour = max(view.last_hour, view.watched_from_hour)
        missed_hours, allowed_hours = rhythm.missed_hours(heard_hour, view.now_hour), rhythm.allowed_hours
    return SourceHealth(
        state=_state(view, missed_hours, allowed_hours),
        last_hour=view.last_hour,
        missed_hours=missed_hours,
        allowed_hours=allowed_hours,
        short=view.short,
        long=view.long,
    )


def _state(view: SourceView, missed_hours: float, allowed_hours: float | None) -> SourceState:
    is_mended = view.short.are_mostly_accepted and view.short.accepted >= _WELL_LEAST
    if view.short.are_mostly_refused or (view.long.are_mostly_refused and not is_mended):
        return SourceState.REFUSED
    if isinstance(view.rhythm, NoRhythm):
        return SourceState(view.rhythm.value)
    is_silent = allowed_hours is not None and missed_hours >= allowed_hours
    return SourceState.SILENT if is_silent else SourceState.REGULAR


def after_judging(
    alert: SourceAlert | None, trouble: SourceTrouble, health: SourceHealth, now_us: int
) -> tuple[SourceAlert, SourceChange] | None:
    """What a look at the source makes of the newest alert about this trouble; None where nothing changes."""
    is_open = alert is not None and alert.state is AlertState.FIRING
    if health.trouble is not trouble:
        reason = _closing(alert, health) if alert is not None and is_open else None
        return closed(alert, reason, now_us) if alert is not None and reason is not None else None
    if alert is None or not (is_open or _may_reopen(alert, now_us)):
        return _seen(_fresh(trouble, now_us), health, now_us), SourceChange.OPENED
    seen = _seen(alert, health, now_us)
    if is_open:
        return seen, SourceChange.REFRESHED
    again = replace(seen, state=AlertState.FIRING, closed_us=None, close_reason=None, reopen_count=alert.reopen_count + 1)
    return again, SourceChange.REOPENED


def closed(alert: SourceAlert, reason: SourceChange, now_us: int) -> tuple[SourceAlert, SourceChange]:
    """The alert, closed for this reason."""
    return replace(alert, state=AlertState.RESOLVED, closed_us=now_us, close_reason=reason), reason


def _closing(alert: SourceAlert, health: SourceHealth) -> SourceChange | None:
    """Only a proof closes: a post that was accepted, or posts that mostly are; a day without a refused one leaves nothing to mend."""
    if alert.trouble is SourceTrouble.SILENT:
        return SourceChange.RECOVERED if health.last_hour != alert.last_hour else None
    if health.short.are_mostly_accepted:
        return SourceChange.RECOVERED
    return None if health.long.unproven else SourceChange.EXPIRED


def _may_reopen(alert: SourceAlert, now_us: int) -> bool:
    return alert.closed_us is not None and now_us - alert.closed_us <= _REOPEN_US


def _fresh(trouble: SourceTrouble, now_us: int) -> SourceAlert:
    return SourceAlert(
        trouble=trouble,
        state=AlertState.FIRING,
        severity=Severity.WARNING,
        last_hour=None,
        missed_hours=0.0,
        allowed_hours=None,
        accepted=0,
        refused=0,
        opened_us=now_us,
        last_true_us=now_us,
    )


def _seen(alert: SourceAlert, health: SourceHealth, now_us: int) -> SourceAlert:
    return replace(
        alert,
        last_hour=health.last_hour,
        missed_hours=health.missed_hours,
        allowed_hours=health.allowed_hours,
        accepted=health.long.accepted,
        refused=health.long.unproven,
        last_true_us=now_us,
    )
