"""PowerMTA: accounting records as a bridge posts them, an array of texts; no signature, so a static secret has to stand in.

Oddities: PowerMTA posts nothing by itself, so fields are the operator's choice; status codes carry words; `tq` tells of a whole queue and
names nobody; a refusal is called a bounce whatever its cause, which only `bounceCat` tells. Facts: the user's guide on accounting records
and bounce categories; the array is the form of Postmastery's bridge.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.hosts import ip_of, server_in
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, Reply, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # type -> ours
    "d": EventKind.DELIVERED,
    "b": EventKind.BOUNCED,
    "rb": EventKind.BOUNCED,  # a report that came by mail
    "rs": EventKind.OTHER,  # a report that came by mail, of another kind: see dsnAction
    "t": EventKind.DEFERRED,
    "tq": EventKind.DEFERRED,
    "r": EventKind.QUEUED,
    "f": EventKind.COMPLAINED,
}
_ACTIONS = {
    # dsnAction of `rs` -> ours
    "failed": EventKind.BOUNCED,
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.DELIVERED,
    "expanded": EventKind.DELIVERED,
}
_REPORTED = {
    # bounceCat -> what it claims; relaying, routing, configuration, protocol and other say nothing of the recipient
    "bad-mailbox": ReportedType.HARD,
    "inactive-mailbox": ReportedType.HARD,
    "bad-domain": ReportedType.HARD,
    "quota-issues": ReportedType.SOFT,
    "bad-connection": ReportedType.SOFT,
    "no-answer-from-host": ReportedType.SOFT,
    "message-expired": ReportedType.SOFT,
    "policy-related": ReportedType.BLOCK,
    "spam-related": ReportedType.BLOCK,
    "content-related": ReportedType.BLOCK,
    "virus-related": ReportedType.BLOCK,
    "invalid-sender": ReportedType.BLOCK,
}
_BY_CLASS = {"5": ReportedType.HARD, "4": ReportedType.SOFT}  # first digit of a status code
_BY_MAIL = frozenset({"rb", "rs"})
_IN_SESSION = frozenset({"b", "d", "t"})
_ADDED = ("vmta", "vmtaPool", "jobId", "envId")
_HEADER = "header_"


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read, known=_KINDS)


def _read(record: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(record, "type")
    kind, esp_class = _kind(event_type, record), text(record, "bounceCat")
    reply = read_reply(text(record, "dsnDiag", MAX_DIAGNOSTIC), enhanced=record.get("dsnStatus"))
    server, headers = server_in(record.get("dsnMta")), _headers(record)
    envelope_id, job = text(record, "envId"), text(record, "jobId")
    message_id = bare_message_id(headers.get("message-id") or envelope_id)
    metadata = _metadata(record, headers)
    yield Event(
        kind=kind,
        esp="powermta",
        recipient=_address(record, "rcpt") or _address(record, "orcpt"),
        occurred_at=moment_of(record.get("timeLogged")),
        message_id=message_id,
        esp_event_type=event_type,
        reported_type=_reported(kind, esp_class, reply),
        esp_class=esp_class,
        esp_subclass=text(record, "dsnAction"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_host=server.host,
        remote_ip=ip_of(record.get("dlvDestinationIp")) or server.ip,
        sending_ip=ip_of(record.get("dlvSourceIp")),
        campaign=job or campaign_in(metadata),
        metadata=metadata,
        subject=headers.get("subject"),
        phase=_phase(event_type, record),
        identity=identity_of(
            event_type,
            text(record, "timeLogged"),
            text(record, "timeQueued"),
            message_id,
            envelope_id,
            job,
            text(record, "orig"),
            text(record, "queue"),
            reply.diagnostic,
        ),
    )


def _address(record: JsonObject, key: str) -> str | None:
    """An original recipient has its type before it: `rfc822;…`."""
    written = text(record, key)
    return address_of(written.rpartition(";")[2]) if written else None


def _kind(event_type: str, record: JsonObject) -> EventKind:
    if event_type == "rs":
        return _ACTIONS.get((text(record, "dsnAction") or "").lower(), EventKind.OTHER)
    return _KINDS.get(event_type, EventKind.OTHER)


def _reported(kind: EventKind, esp_class: str | None, reply: Reply) -> ReportedType | None:
    if kind is EventKind.DEFERRED:
        return ReportedType.SOFT
    if kind is not EventKind.BOUNCED:
        return None
    if esp_class is not None:
        return _REPORTED.get(esp_class.lower(), ReportedType.UNDETERMINED)
    # where the category is not recorded, all that is claimed is the code
    return _BY_CLASS.get((reply.enhanced_status_code or str(reply.smtp_code or ""))[:1], ReportedType.UNDETERMINED)


def _phase(event_type: str, record: JsonObject) -> Phase:
    """Where the record has a field for the server and it is empty, PowerMTA reached none."""
    if event_type in _BY_MAIL:
        return Phase.ASYNC
    if event_type not in _IN_SESSION:
        return Phase.UNKNOWN
    return Phase.LOCAL if record.get("dsnMta") == "" and not text(record, "dlvDestinationIp") else Phase.SYNC


def _headers(record: JsonObject) -> dict[str, str]:
    """Headers of the mail, where the operator lets them be recorded."""
    return {key[len(_HEADER) :].lower(): value for key in record if key.lower().startswith(_HEADER) and (value := text(record, key))}


def _metadata(record: JsonObject, headers: dict[str, str]) -> dict[str, str] | None:
    own = {name: value for name in _ADDED if (value := text(record, name))}
    return jsontext.text_map({**own, **{name: value for name, value in headers.items() if name not in {"subject", "message-id"}}})


ADAPTER = Adapter(
    name="powermta",
    title="PowerMTA",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=False
    ),
    signer=BASIC,
    schemes=STATIC_SCHEMES,
    guide=(
        "Let an accounting pipe post its records as a JSON array of objects with a secret header or basic auth, and keep them until the "
        "answer is 2xx. Record d, b, rb, rs, t, tq, r and f (only d and b are recorded by default) with timeLogged, orig, rcpt, orcpt, "
        "dsnAction, dsnStatus, dsnDiag, dsnMta, bounceCat, dlvSourceIp, dlvDestinationIp, vmta, jobId, envId, header_Message-Id and "
        "header_Subject."
    ),
)
