"""SparkPost (Bird): an array of mixed events per delivery, each wrapped by its class, no signature.

Oddities: times, codes and classes are numbers as text; a bounce of class 25 was never tried, one of class 60 is an automatic answer; a
time-out quotes the real answer inside its own; what is marked `[internal]` no other server has said. Facts: SparkPost's developer
documentation on webhooks and its bounce classification codes.
"""

from collections.abc import Iterator

from service.esp_kit import jsontext
from service.esp_kit.adapter import Adapter, Answers, Capabilities
from service.esp_kit.addresses import address_of
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.identity import bare_message_id, identity_of
from service.esp_kit.jsontext import JsonObject, mapping, text
from service.esp_kit.reading import NotAnEventError, event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_OF_OTHER_THINGS = (
    "relay_injection relay_rejection relay_delivery relay_tempfail relay_permfail ab_test_completed ab_test_cancelled success error"
)
_KINDS = {
    # SparkPost's type -> ours
    "injection": EventKind.QUEUED,
    "delivery": EventKind.DELIVERED,
    "delay": EventKind.DEFERRED,
    "bounce": EventKind.BOUNCED,  # or what its class says
    "out_of_band": EventKind.BOUNCED,  # came later, as a mail
    "policy_rejection": EventKind.REJECTED,
    "generation_rejection": EventKind.REJECTED,
    "generation_failure": EventKind.FAILED,
    "spam_complaint": EventKind.COMPLAINED,
    "open": EventKind.OPENED,
    "initial_open": EventKind.OPENED,
    "amp_open": EventKind.OPENED,
    "amp_initial_open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "amp_click": EventKind.CLICKED,
    "list_unsubscribe": EventKind.UNSUBSCRIBED,
    "link_unsubscribe": EventKind.UNSUBSCRIBED,
    # about mail that came in and is passed on, and about tests and uploads of our own
    **dict.fromkeys(_OF_OTHER_THINGS.split(), EventKind.OTHER),
}
_KINDS_BY_CLASS = {
    # bounce_class of a bounce that is none -> ours
    "60": EventKind.AUTORESPONDED,
    "80": EventKind.SUBSCRIBED,
    "90": EventKind.UNSUBSCRIBED,
    "100": EventKind.AUTORESPONDED,  # asks the sender to prove that he is human
}
_CATEGORIES = {
    # what SparkPost claims -> its classes; 25 and 80 are of the category Admin, which claims nothing
    ReportedType.UNDETERMINED: "1",
    ReportedType.HARD: "10 15 30 90",
    ReportedType.SOFT: "20 21 22 23 24 40 60 70 100",
    ReportedType.BLOCK: "50 51 52 53 54",
}
_REPORTED = {bounce_class: reported for reported, classes in _CATEGORIES.items() for bounce_class in classes.split()}
_INVALID_RECIPIENT = "10"  # the one class after which SparkPost keeps the address on its list
_ADMIN_FAILURE = "25"
_NEVER_TRIED_CODE = "554"
_BOUNCES = frozenset({"bounce", "out_of_band"})
_DELIVERY_SIDE = frozenset({"delivery", "delay", "bounce", "out_of_band"})  # elsewhere `ip_address` is the reader's
_LOCAL = frozenset({EventKind.REJECTED, EventKind.FAILED})
_INTERNAL, _QUOTES_ANSWER = "[internal]", "last transfail:"


def _parse(delivery: Delivery) -> Parsed:
    return read_items(jsontext.load_items(delivery.body), _read_wrapped, known=_KINDS)


def _read_wrapped(item: JsonObject) -> Iterator[Event]:
    wrapped = item.get("msys")
    if not isinstance(wrapped, dict):
        raise NotAnEventError("the item has no 'msys'")
    for event_class, event in wrapped.items():  # none in the test that SparkPost posts when the hook is saved
        if event_class == "relay_message":
            continue  # mail that came in: nothing happened to one of ours
        if not isinstance(event, dict):
            raise NotAnEventError(f"{event_class[:80]!r} holds no event")
        yield _read(event)


def _read(event: JsonObject) -> Event:
    event_type, bounce_class = event_type_in(event, "type"), text(event, "bounce_class")
    words = text(event, "raw_reason", MAX_DIAGNOSTIC) or text(event, "reason", MAX_DIAGNOSTIC)
    reply = read_reply(words, code=_code(event, words))
    kind = _kind(event_type, bounce_class, text(event, "error_code"), words)
    reported = _REPORTED.get(bounce_class or "")
    message_id = bare_message_id(text(event, "message_id")) or text(event, "transmission_id")
    occurred_at, event_id = moment_of(event.get("timestamp")), _event_id(event)
    metadata = jsontext.text_map(mapping(event, "rcpt_meta"))
    return Event(
        kind=kind,
        esp="sparkpost",
        recipient=address_of(event.get("rcpt_to")) or address_of(event.get("raw_rcpt_to")),
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=event_id,
        esp_event_type=event_type,
        reported_type=reported or (ReportedType.UNDETERMINED if kind is EventKind.BOUNCED else None),
        esp_class=bounce_class or text(event, "fbtype"),
        smtp_code=reply.smtp_code,
        enhanced_status_code=reply.enhanced_status_code,
        diagnostic=reply.diagnostic,
        smtp_stage=reply.smtp_stage,
        remote_ip=text(event, "ip_address") if event_type in _DELIVERY_SIDE else None,
        sending_ip=text(event, "sending_ip"),
        campaign=text(event, "campaign_id") or campaign_in(metadata),
        tags=jsontext.texts(event, "rcpt_tags"),
        metadata=metadata,
        subject=text(event, "subject"),
        suppressed_by_esp=_suppressed(kind, bounce_class, words),
        phase=_phase(event_type, kind, words),
        identity=identity_of("id", event_id)
        if event_id
        else identity_of(event_type, message_id, occurred_at, bounce_class, words, text(event, "target_link_url")),
    )


def _event_id(event: JsonObject) -> str | None:
    """Digits as text; as a bare number past 64 bits it has lost its last ones, and would make two events one."""
    return None if isinstance(event.get("event_id"), float) else text(event, "event_id")


def _code(event: JsonObject, words: str | None) -> object:
    """A time-out's own code is SparkPost's; what the server answered last is quoted in its text."""
    return None if _QUOTES_ANSWER in (words or "") else text(event, "error_code")


def _kind(event_type: str, bounce_class: str | None, code: str | None, words: str | None) -> EventKind:
    if event_type not in _BOUNCES:
        return _KINDS.get(event_type, EventKind.OTHER)
    if bounce_class == _ADMIN_FAILURE and code == _NEVER_TRIED_CODE and _is_by_sparkpost(words):
        return EventKind.REJECTED
    return _KINDS_BY_CLASS.get(bounce_class or "", EventKind.BOUNCED)


def _is_by_sparkpost(words: str | None) -> bool:
    lowered = (words or "").lower()
    return not words or "suppress" in lowered or _INTERNAL in lowered


def _suppressed(kind: EventKind, bounce_class: str | None, words: str | None) -> bool | None:
    if kind is EventKind.BOUNCED:
        return bounce_class == _INVALID_RECIPIENT if bounce_class else None
    return True if kind is EventKind.REJECTED and "suppress" in (words or "").lower() else None


def _phase(event_type: str, kind: EventKind, words: str | None) -> Phase:
    if kind in _LOCAL:
        return Phase.LOCAL
    if kind not in {EventKind.BOUNCED, EventKind.DEFERRED}:
        return Phase.UNKNOWN
    if event_type == "out_of_band":
        return Phase.ASYNC
    says_it_alone = _INTERNAL in (words or "") and _QUOTES_ANSWER not in (words or "")
    return Phase.LOCAL if says_it_alone else Phase.SYNC


ADAPTER = Adapter(
    name="sparkpost",
    title="SparkPost (Bird)",
    verify=checked(),
    parse=_parse,
    capabilities=Capabilities(
        signature="static", batches=True, delivered_events=True, smtp_text=True, remote_host=True, sending_ip=True, engagement=True
    ),
    signer=BASIC,
    answers=Answers(accepted=200, refused=401, unavailable=503),  # all but 200 is tried 12 times in 8 hours
    schemes=STATIC_SCHEMES,
    guide=(
        "Configuration > Webhooks > Create: enter the address with basic auth, or add a custom header that holds the secret; tick all "
        "message, generation and unsubscribe events and, if wanted, the track events."
    ),
)
