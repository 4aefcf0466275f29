"""Elastic Email: one event per request, as the parameters of a GET, as a form or as JSON; no signature.

Oddities: the notification tells no server's words, only a category, so hard, soft and block are our reading of it; dates are American
text without a zone. That newer accounts post is not confirmed. Facts: Elastic Email's help pages on HTTP notifications.
"""

import re
from collections.abc import Iterator
from datetime import datetime

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities, Handshake, SourceTrust, WebhookRequest
from service.esp_kit.addresses import address_of
from service.esp_kit.dates import moment_of
from service.esp_kit.flat import read_flat
from service.esp_kit.forms import fields_in, first_values
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.proof import as_bytes
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_MAX_FIELDS = 200
_KINDS = {
    # status -> ours
    "Sent": EventKind.DELIVERED,  # that a server has taken it is not said outright
    "Error": EventKind.BOUNCED,  # rejected where the category says that nobody tried
    "AbuseReport": EventKind.COMPLAINED,
    "Unsubscribed": EventKind.UNSUBSCRIBED,
    "Opened": EventKind.OPENED,
    "Clicked": EventKind.CLICKED,
}
_BY_LOWER = {status.lower(): status for status in _KINDS}
_NOT_TRIED = frozenset({"ManualCancel", "NotDeliveredCancelled", "NotDelivered"})
_REPORTED = {
    # category of an error -> our reading; CodeError, Ignore and Unknown say nothing
    "NoMailbox": ReportedType.HARD,
    "DNSProblem": ReportedType.HARD,
    "GreyListed": ReportedType.SOFT,
    "Throttled": ReportedType.SOFT,
    "Timeout": ReportedType.SOFT,
    "ConnectionProblem": ReportedType.SOFT,
    "ConnectionTerminated": ReportedType.SOFT,
    "AccountProblem": ReportedType.SOFT,  # the recipient's account, full for example
    "Spam": ReportedType.BLOCK,
    "BlackListed": ReportedType.BLOCK,
    "SPFProblem": ReportedType.BLOCK,
    "WhitelistingProblem": ReportedType.BLOCK,
    "ContentFilter": ReportedType.BLOCK,
}
_CATEGORY_BY_LOWER = {category.lower(): category for category in (*_NOT_TRIED, *_REPORTED)}
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) (\d{1,2}):(\d\d)(?::(\d\d))?(?: ([AP])M)?", re.ASCII)


def _parse(delivery: Delivery) -> Parsed:
    return read_items([_fields(delivery)], _read, known=_KINDS)


def _fields(delivery: Delivery) -> JsonObject:
    """The parameters by their names in lower case, wherever they stand."""
    asked = _parameters(delivery.query)
    if "status" in asked:
        return asked
    return {name.lower(): value for name, value in read_flat(_without_address(delivery.body), delivery.content_type).items()}


def _without_address(body: bytes) -> bytes:
    """What stands behind the question mark, where somebody keeps the whole request line of a GET."""
    return body.partition(b"?")[2] if body.startswith((b"GET ", b"/", b"?", b"http")) else body


def _parameters(query: str) -> dict[str, object]:
    if query.count("&") >= _MAX_FIELDS:
        raise UnreadableError(f"the query has more than {_MAX_FIELDS} parameters")
    return {name.lower(): value for name, value in first_values(fields_in(as_bytes(query))).items()}


def _shake(request: WebhookRequest, trust: SourceTrust) -> Handshake | None:
    """Whoever only looks whether the address answers gets his 200; a GET that tells a status is an event."""
    try:
        tells = request.method != "GET" or "status" in _parameters(request.query)
    except UnreadableError:
        tells = True
    return None if tells else Handshake()


def _read(item: JsonObject) -> Iterator[Event]:
    status = event_type_in(item, "status")
    kind = _KINDS.get(_BY_LOWER.get(status.lower(), ""), EventKind.OTHER)
    category = text(item, "category") if kind is EventKind.BOUNCED else None
    meant = _CATEGORY_BY_LOWER.get((category or "").lower(), "")
    if meant in _NOT_TRIED:
        kind = EventKind.REJECTED
    message_id, transaction, postback = text(item, "messageid"), text(item, "transaction"), text(item, "postback")
    yield Event(
        kind=kind,
        esp="elastic_email",
        recipient=address_of(item.get("to")),
        occurred_at=_moment(item.get("date")),
        message_id=message_id or transaction,
        esp_event_type=status,
        reported_type=_REPORTED.get(meant, ReportedType.UNDETERMINED) if kind is EventKind.BOUNCED else None,
        esp_class=category,
        campaign=text(item, "channel"),
        metadata={"postback": postback} if postback else None,
        subject=text(item, "subject"),
        phase=Phase.LOCAL if kind is EventKind.REJECTED else Phase.UNKNOWN,
        identity=identity_of(status, transaction, message_id, text(item, "date"), category, text(item, "target")),
    )


def _moment(written: object) -> datetime | None:
    """`1/5/2026 10:35:00 AM`, month first; or any form that others use."""
    found = _DATE.fullmatch(written.strip()) if isinstance(written, str) and len(written) <= jsontext.MAX_TEXT else None
    if not found:
        return moment_of(written)
    month, day, year, hour, minute, second, half = found.groups()
    hours = int(hour) if half is None else int(hour) % 12 + (12 if half == "P" else 0)
    return moment_of(f"{year}-{month:0>2}-{day:0>2}T{hours:02}:{minute}:{second or '00'}")


ADAPTER = Adapter(
    name="elastic_email",
    title="Elastic Email",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=False, delivered_events=True, smtp_text=False, remote_host=False, sending_ip=False, engagement=True
    ),
    signer=BASIC,
    schemes=STATIC_SCHEMES,
    methods=("POST", "GET", "HEAD"),
    handshake=_shake,
    guide=(
        "Settings > Notifications: enter the address with `?token=` and a secret behind it, and tick sent, error, abuse report, "
        "unsubscribed and, if wanted, opened and clicked. Elastic Email switches a notification off after 1,000 failures: watch the "
        "source's health."
    ),
)
