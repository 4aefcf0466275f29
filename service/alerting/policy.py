"""Which thresholds are in force? The defaults were chosen on simulated worlds and judged on others (docs/thresholds.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from service.model.words import DomainClass


class PolicyError(ValueError):
    """A threshold is unknown or out of its range; the text names it and the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassThresholds:
    """What one class of recipient domains is expected to bounce, and from where on it matters. All are shares."""

    mu_warm: float  # expected among people delivered to in the last warm_days
    mu_cold: float  # expected among everybody else
    p0: float  # prior rate that small samples are shrunk to
    tau: float  # effect floor: a smaller shrunk rate never fires


CLASS_TABLE: Mapping[DomainClass, ClassThresholds] = {
    DomainClass.CONSUMER: ClassThresholds(mu_warm=0.003, mu_cold=0.08, p0=0.003, tau=0.01),
    DomainClass.BUSINESS: ClassThresholds(mu_warm=0.015, mu_cold=0.20, p0=0.018, tau=0.08),
    DomainClass.BUSINESS_GATEWAY: ClassThresholds(mu_warm=0.020, mu_cold=0.20, p0=0.022, tau=0.10),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All thresholds of the alert decision."""

    classes: Mapping[DomainClass, ClassThresholds] = field(default_factory=lambda: CLASS_TABLE)
    short_window_hours: int = 2
    long_window_hours: int = 24
    k_min: int = 4  # distinct people: 3 of 3 stays silent for ever
    e_min: float = 100
    e_min_domain_hours: int = 2_000  # active domain-hours a day that e_min was measured at; it grows beyond; 0 = fixed
    n0: float = 20  # weight of the prior rate, in mails
    warm_days: int = 60
    hold_min_seconds: int = 180
    hold_max_seconds: int = 1_800
    nodenom_bounces: int = 20  # so many hard bounces without one delivery: the source tells of no delivered mail
    nodenom_warn: int = 10  # people bounced in 24 h at such a source before it is a warning
    recover_deliveries: int = 5
    recover_quiet_seconds: int = 1_800
    recover_clear_hours: int = 24  # without a true check, where mail never pauses for the quiet
    expire_days: int = 14
    reopen_hours: int = 72
    stale_hours: int = 24  # a window that ended longer ago never opens an alert
    critical_k: int = 10
    critical_rate: float = 0.5

    @property
    def windows_hours(self) -> tuple[int, int]:
        """Both windows, the short one first."""
        return (self.short_window_hours, self.long_window_hours)

    def thresholds(self, domain_class: DomainClass) -> ClassThresholds:
        """The row of the class table for this class."""
        return self.classes[domain_class]

    def e_min_at(self, active_domain_hours: int) -> float:
        """The e-value to reach, grown with traffic so that the budget of false pages stays what was measured."""
        if not self.e_min_domain_hours:
            return self.e_min
        return max(self.e_min, self.e_min * active_domain_hours / self.e_min_domain_hours)


_GENERAL = "alert"
_LARGEST = 1e9
_RANGES: Mapping[str, tuple[float, float]] = {"e_min_domain_hours": (0, _LARGEST), "critical_rate": (0.01, 1)}
_WHOLE = {item.name for item in fields(Policy) if item.type in (int, "int")}


def policy_from(tables: Mapping[str, Mapping[str, float]]) -> Policy:
    """The default policy with what `[policy.alert]` and `[policy.<class>]` change; raises PolicyError."""
    policy = Policy()
    known = {_GENERAL, *(domain_class.value for domain_class in DomainClass)}
    for name in tables:
        if name not in known:
            message = f"[policy.{name}]: there is no such table. Use one of {', '.join(sorted(known))}."
            raise PolicyError(message)
    classes = {
        domain_class: _changed_class(row, tables.get(domain_class.value, {}), domain_class) for domain_class, row in CLASS_TABLE.items()
    }
    return _changed_policy(replace(policy, classes=classes), tables.get(_GENERAL, {}))


def _changed_class(row: ClassThresholds, changes: Mapping[str, float], domain_class: DomainClass) -> ClassThresholds:
    known = {item.name for item in fields(ClassThresholds)}
    for name, value in changes.items():
        _refuse_unknown(name, known, domain_class.value)
        if not 0 < value < 1:
            message = f"[policy.{domain_class.value}] {name} = {value}: has to be a share between 0 and 1."
            raise PolicyError(message)
    return replace(row, **changes)


def _changed_policy(policy: Policy, changes: Mapping[str, float]) -> Policy:
    known = {item.name for item in fields(Policy)} - {"classes"}
    checked: dict[str, float] = {}
    for name, value in changes.items():
        _refuse_unknown(name, known, _GENERAL)
        _check_value(name, value)
        checked[name] = int(value) if name in _WHOLE else value
    changed = replace(policy, **checked)  # type: ignore[arg-type]  # names and types were checked against the fields
    if changed.short_window_hours >= changed.long_window_hours:
        message = f"[policy.{_GENERAL}] short_window_hours has to be smaller than long_window_hours ({changed.long_window_hours})."
        raise PolicyError(message)
    if changed.hold_min_seconds > changed.hold_max_seconds:
        message = f"[policy.{_GENERAL}] hold_min_seconds may not be greater than hold_max_seconds ({changed.hold_max_seconds})."
        raise PolicyError(message)
    return changed


def _check_value(name: str, value: float) -> None:
    low, high = _RANGES.get(name, (1, _LARGEST))
    if not low <= value <= high:  # false for what is no number, too
        message = f"[policy.{_GENERAL}] {name} = {value:g}: has to be from {low:g} to {high:,.10g}."
        raise PolicyError(message)
    if name in _WHOLE and value != int(value):
        message = f"[policy.{_GENERAL}] {name} = {value:g}: has to be a whole number."
        raise PolicyError(message)


def _refuse_unknown(name: str, known: set[str], table: str) -> None:
    if name not in known:
        message = f"[policy.{table}] {name}: there is no such threshold. Known: {', '.join(sorted(known))}."
        raise PolicyError(message)
