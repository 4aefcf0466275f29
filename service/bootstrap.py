"""Which machine stands behind which interface?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from threading import Event as Signal
from uuid import uuid4

from service.alerting.policy import Policy, PolicyError, policy_from
from service.classify.domains import DomainBook
from service.classify.engine import Classifier
from service.classify.gateways import GatewayTable
from service.classify.rules import load_rules
from service.esp import adapters
from service.esp_kit.adapter import Adapter, SourceTrust
from service.esp_kit.flaws import flaw_of
from service.esp_kit.mapping import load_mapping
from service.inbox.port import Inbox
from service.inbox.sql import SqlInbox
from service.model.errors import HoppError
from service.model.events import ConfirmSubscription
from service.model.likeness import meant
from service.outbound.certificates import CertificateStore
from service.outbound.subscriptions import confirm
from service.pipeline.evaluate import Evaluator
from service.pipeline.labelling import Labels
from service.pipeline.reading import Tools
from service.pipeline.retain import Housekeeper
from service.pipeline.watch import SourceWatch
from service.pipeline.work import Worker
from service.settings import Settings, SettingsError, SourceSettings
from service.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Hopp:
    """Everything that web, worker and commands stand on. Connections are made when first used."""

    settings: Settings
    database: Database
    inbox: Inbox
    adapters: Mapping[str, Adapter]
    policy: Policy
    certificates: CertificateStore
    now: Callable[[], datetime]

    def labels(self) -> Labels:
        """What reads answers and hosts; loaded once, when first asked for."""
        own_rules = self.settings.own_rules
        return _labels((str(own_rules), _text_of(own_rules)) if own_rules else None)

    def tools(self) -> Tools:
        """What processing stands on."""
        return Tools(
            database=self.database,
            adapters=self.adapters,
            labels=self.labels(),
            policy=self.policy,
            test_sources=frozenset(source.name for source in self.settings.sources if source.is_test),
            perform=self._perform,
        )

    def _perform(self, act: ConfirmSubscription, source: str) -> None:
        found = self.settings.find_source(source)
        if found is not None and not found.confirms_subscriptions:
            message = f"Source {source} does not confirm subscriptions. Confirm this one at SNS, or set confirm_subscriptions = true."
            raise HoppError(message)
        confirm(act.url)

    def worker(self, stopping: Signal) -> Worker:
        """A worker that stops after the batch in hand once the signal is set."""
        return Worker(
            inbox=self.inbox,
            tools=self.tools(),
            evaluator=Evaluator(self.database, self.policy, holder=uuid4().hex, watch=self._watch(), housekeeper=self._housekeeper()),
            batch_deliveries=self.settings.batch_deliveries,
            now=self.now,
            stopping=stopping,
        )

    def _housekeeper(self) -> Housekeeper:
        return Housekeeper(self.database, self.settings.keep)

    def _watch(self) -> SourceWatch:
        return SourceWatch({source.name: (source.esp, source.is_test) for source in self.settings.sources})


def build(settings: Settings, *, now: Callable[[], datetime] | None = None, certificates: CertificateStore | None = None) -> Hopp:
    """Put the parts together; raises SettingsError where a source or a threshold is wrong."""
    known = _with_mappings(adapters(), settings)
    for source in settings.sources:
        _check_source(source, known)
    try:
        policy = policy_from(settings.policy)
    except PolicyError as error:
        message = f"{settings.config_path}: {error}"
        raise SettingsError(message) from error
    return Hopp(
        settings=settings,
        database=Database(settings.database),
        inbox=_inbox(settings),
        adapters=known,
        policy=policy,
        certificates=certificates or CertificateStore(),
        now=now or _now,
    )


def load_mapping_file(path: Path) -> Adapter:
    """The adapter that a mapping file describes; raises MappingError, or SettingsError where it cannot be read."""
    return load_mapping(_text_of(path), str(path))


def _with_mappings(known: Mapping[str, Adapter], settings: Settings) -> Mapping[str, Adapter]:
    """The ESPs that Hopp knows, and those that mapping files describe."""
    found = dict(known)
    for path in settings.mappings:
        adapter = load_mapping_file(path)
        if adapter.name in found:
            message = f"{path}: name {adapter.name!r} is taken by another ESP. Give it a name of its own."
            raise SettingsError(message)
        found[adapter.name] = adapter
    return found


def _inbox(settings: Settings) -> Inbox:
    if not settings.inbox.startswith("nats://"):
        return SqlInbox(settings.inbox)
    from service.inbox.nats import NatsInbox  # noqa: PLC0415 - a tenth of a second of each start that only this inbox has to pay

    return NatsInbox(settings.inbox, replicas=settings.inbox_replicas)


def _check_source(source: SourceSettings, known: Mapping[str, Adapter]) -> None:
    name, esp, auth = source.name, source.esp, source.auth
    if esp not in known:
        message = f"source {name!r}: there is no ESP {esp!r}{meant(esp, known)}. Known: {', '.join(known)}."
        raise SettingsError(message)
    schemes = known[esp].schemes
    if auth is None and "signature" not in schemes:
        message = f"source {name!r}: {esp} does not sign, so this source would refuse everything. Set auth to one of {', '.join(schemes)}."
        raise SettingsError(message)
    scheme = (auth or "signature").partition(":")[0]
    if scheme not in {*(item.partition(":")[0] for item in schemes), "none"}:
        message = f"source {name!r}: auth = {auth!r} is nothing that {esp} can prove itself with. Use one of {', '.join(schemes)}."
        raise SettingsError(message)
    flaw = flaw_of(known[esp], SourceTrust(secrets=source.secrets, auth=auth, options=source.options))
    if flaw is not None:
        message = f"source {name!r}: {flaw}"
        raise SettingsError(message)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: cannot be read ({error}). Check its permissions and that it is UTF-8 text."
        raise SettingsError(message) from error


@cache
def _labels(own_rules: tuple[str, str] | None) -> Labels:
    """What reads answers and hosts, with the operator's own rules: their file's name and text."""
    room = files("service.classify")
    shipped = {item.name: item.read_text(encoding="utf-8") for item in room.joinpath("rules").iterdir() if item.name.endswith(".toml")}
    rules = load_rules(shipped, own=dict([own_rules]) if own_rules else None)
    data = room.joinpath("data")
    gateways = GatewayTable.load(data.joinpath("gateways.toml").read_text(encoding="utf-8"))
    consumer_domains = data.joinpath("consumer_domains.txt").read_text(encoding="utf-8")
    domains = DomainBook.load(consumer_domains, gateways.security_vendors)
    return Labels(classifier=Classifier(rules, gateways), gateways=gateways, domains=domains)


def _now() -> datetime:
    return datetime.now(UTC)
