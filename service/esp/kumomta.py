"""KumoMTA: its log records as the log hook posts them, one or an array; no signature, so a static secret has to stand in.

Oddities: the answer's text comes without its codes; the hook's own messages are logged too and would tell of themselves for ever; a
complaint's recipient is the feedback address, the reader's stands in the report; any answer but 2xx discards the record for good. Facts:
KumoMTA's reference on log records, log hooks and the bounce classifier.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.hosts import ip_of, server_in
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import EMPTY, JsonObject, mapping, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, NO_REPLY, Reply, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # type -> ours
    "Reception": EventKind.QUEUED,
    "Delivery": EventKind.DELIVERED,
    "TransientFailure": EventKind.DEFERRED,
    "Delayed": EventKind.DEFERRED,
    "Bounce": EventKind.BOUNCED,
    "Expiration": EventKind.BOUNCED,
    "OOB": EventKind.BOUNCED,  # a report that came by mail; some are answering machines
    "AdminBounce": EventKind.REJECTED,
    "Feedback": EventKind.COMPLAINED,
    "Rejection": EventKind.OTHER,  # refused on the way in
    "AdminRebind": EventKind.OTHER,
    "DeferredInjectionRebind": EventKind.OTHER,
    "XferIn": EventKind.OTHER,
    "XferOut": EventKind.OTHER,
}
_REPORTED = {
    # bounce_classification -> what it claims; Uncategorized and an operator's own names claim no more than the code does
    "InvalidRecipient": ReportedType.HARD,
    "BadDomain": ReportedType.HARD,
    "InactiveMailbox": ReportedType.HARD,
    "DNSFailure": ReportedType.SOFT,
    "TransientFailure": ReportedType.SOFT,
    "BadConnection": ReportedType.SOFT,
    "NoAnswerFromHost": ReportedType.SOFT,
    "MessageExpired": ReportedType.SOFT,
    "QuotaIssues": ReportedType.SOFT,
    "SpamBlock": ReportedType.BLOCK,
    "SpamContent": ReportedType.BLOCK,
    "SpamRelated": ReportedType.BLOCK,
    "ProhibitedAttachment": ReportedType.BLOCK,
    "ContentRelated": ReportedType.BLOCK,
    "VirusRelated": ReportedType.BLOCK,
    "PolicyRelated": ReportedType.BLOCK,
    "RelayDenied": ReportedType.BLOCK,
    "InvalidSender": ReportedType.BLOCK,
    "AuthenticationFailed": ReportedType.BLOCK,
    "TooManyRecipients": ReportedType.BLOCK,
    "AutoReply": ReportedType.UNDETERMINED,
    "ChallengeResponse": ReportedType.UNDETERMINED,
    "Subscribe": ReportedType.UNDETERMINED,
    "Unsubscribe": ReportedType.UNDETERMINED,
    "BadConfiguration": ReportedType.UNDETERMINED,
    "ProtocolErrors": ReportedType.UNDETERMINED,
    "RelayingIssues": ReportedType.UNDETERMINED,
    "RoutingErrors": ReportedType.UNDETERMINED,
}
_NO_BOUNCE = {
    # bounce_classification of a report that came by mail -> what it is instead
    "AutoReply": EventKind.AUTORESPONDED,
    "ChallengeResponse": EventKind.AUTORESPONDED,
    "Unsubscribe": EventKind.UNSUBSCRIBED,
    "Subscribe": EventKind.SUBSCRIBED,
}
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure"})  # feedback types (RFC 5965, RFC 6591)
_OWN_ANSWERS = frozenset({EventKind.QUEUED, EventKind.COMPLAINED, EventKind.OTHER})  # there the peer is a client, and KumoMTA answers
_OF_A_HOOK = "LogRecord"  # a reception_protocol
_LOWEST_PERMANENT = 500


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read, known=_KINDS)


def _read(record: JsonObject) -> Iterator[Event]:
    event_type = event_type_in(record, "type")
    if text(record, "reception_protocol") == _OF_A_HOOK:
        return
    esp_class, report = text(record, "bounce_classification"), mapping(record, "feedback_report")
    kind = _kind(event_type, esp_class, report)
    is_answer = kind not in _OWN_ANSWERS
    reply, peer = (_reply(record), mapping(record, "peer_address")) if is_answer else (NO_REPLY, EMPTY)
    server, headers = server_in(peer.get("name")), mapping(record, "headers")
    named = {name.lower(): value for name in headers if (value := text(headers, name))}
    metadata = _metadata(record)
    message_id, occurred_at = text(record, "id"), moment_of(record.get("event_time")) or moment_of(record.get("timestamp"))
    identity = identity_of(message_id, event_type, text(record, "event_time") or text(record, "timestamp"), text(record, "num_attempts"))
    for recipient in _recipients(event_type, record, report):
        yield Event(
            kind=kind,
            esp="kumomta",
            recipient=recipient,
            occurred_at=occurred_at,
            message_id=message_id,
            esp_event_type=event_type,
            reported_type=_reported(event_type, kind, esp_class, reply),
            esp_class=text(report, "feedback_type") or esp_class,
            smtp_code=reply.smtp_code,
            enhanced_status_code=reply.enhanced_status_code,
            diagnostic=reply.diagnostic,
            smtp_stage=reply.smtp_stage,
            remote_host=server.host,
            remote_ip=ip_of(peer.get("addr")) or server.ip,
            sending_ip=ip_of(mapping(record, "source_address").get("address")) or ip_of(report.get("source_ip")),
            campaign=campaign_in(metadata) or named.get("x-campaign") or _campaign_of_queue(record),
            metadata=metadata,
            subject=named.get("subject"),
            phase=_phase(event_type, kind, peer),
            identity=identity,
        )


def _reply(record: JsonObject) -> Reply:
    """The answer as the server wrote it: KumoMTA takes the codes out of its text."""
    answer = mapping(record, "response")
    parts = mapping(answer, "enhanced_code")
    numbers = [text(parts, name) for name in ("class", "subject", "detail")]
    enhanced = ".".join(number for number in numbers if number) if all(numbers) else None
    code, words = text(answer, "code"), text(answer, "content", MAX_DIAGNOSTIC)
    if words and code and not words.lstrip()[: len(code)].isdecimal() and not words.lower().startswith("smtp;"):
        told = None if enhanced and words.startswith(enhanced) else enhanced
        words = " ".join(part for part in (code, told, words) if part)
    return read_reply(words, code=answer.get("code"), enhanced=enhanced, stage=answer.get("command"))


def _kind(event_type: str, esp_class: str | None, report: JsonObject) -> EventKind:
    if event_type == "OOB":
        return _NO_BOUNCE.get(esp_class or "", EventKind.BOUNCED)
    if event_type == "Feedback" and text(report, "feedback_type") in _NO_COMPLAINT:
        return EventKind.OTHER
    return _KINDS.get(event_type, EventKind.OTHER)


def _reported(event_type: str, kind: EventKind, esp_class: str | None, reply: Reply) -> ReportedType | None:
    if kind is EventKind.DEFERRED or event_type == "Expiration":
        return ReportedType.SOFT
    if kind is not EventKind.BOUNCED:
        return None
    if esp_class in _REPORTED:
        return _REPORTED[esp_class]
    permanent = (reply.smtp_code or 0) >= _LOWEST_PERMANENT
    return ReportedType.HARD if permanent else ReportedType.UNDETERMINED


def _recipients(event_type: str, record: JsonObject, report: JsonObject) -> tuple[str | None, ...]:
    """Several since 2025.12; a complaint is about whom the report names, often nobody."""
    written = jsontext.texts(report, "original_rcpto_to") if event_type == "Feedback" else jsontext.texts(record, "recipient")
    if event_type == "Feedback" and not written:
        written = jsontext.texts(mapping(report, "supplemental_trace"), "recipient")
    found = [address for each in written or () if (address := address_of(each))]
    return tuple(dict.fromkeys(found)) or (None,)


def _metadata(record: JsonObject) -> dict[str, str] | None:
    """What the operator logs of the mail, and by which pool and source it left."""
    own = {name: record[name] for name in ("egress_pool", "egress_source", "tenant") if text(record, name)}
    headers = {name: value for name, value in mapping(record, "headers").items() if name.lower() != "subject"}
    return jsontext.text_map({**headers, **mapping(record, "meta"), **own})


def _campaign_of_queue(record: JsonObject) -> str | None:
    """The first part of `campaign:tenant@domain`."""
    local, _, domain_part = (text(record, "queue") or "").rpartition("@")
    return local.partition(":")[0] or None if domain_part and ":" in local else None


def _phase(event_type: str, kind: EventKind, peer: JsonObject) -> Phase:
    if event_type == "OOB":
        return Phase.ASYNC
    if kind is EventKind.REJECTED:
        return Phase.LOCAL
    if kind not in {EventKind.BOUNCED, EventKind.DEFERRED, EventKind.DELIVERED}:
        return Phase.UNKNOWN
    return Phase.SYNC if peer else Phase.LOCAL  # without a peer KumoMTA speaks for itself


ADAPTER = Adapter(
    name="kumomta",
    title="KumoMTA",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=False
    ),
    signer=BASIC,
    schemes=STATIC_SCHEMES,
    guide=(
        "log_hooks:new_json with the address and basic auth or a header; log Reception, Delivery, Bounce, Expiration, OOB, "
        "TransientFailure, AdminBounce and Feedback, with meta `campaign` and headers Subject and Message-ID. The stock hook discards a "
        "record after any answer but 2xx: in your own Lua, answer `kumo.reject(451, …)` to a 503, so that the record is tried again."
    ),
)
