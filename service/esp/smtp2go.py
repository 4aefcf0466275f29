"""SMTP2GO: one event per delivery as JSON or form, no signature, so a static secret has to stand in.

Oddities: no event tells of a deferral, a mail just stays processed; hard or soft stands in `bounce`, or behind the event's name; chosen
headers of the mail lie among the fields. Facts: SMTP2GO's support pages on webhooks.
"""

from collections.abc import Iterator

from service.esp_kit import forms, jsontext
from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.addresses import address_of, addresses_in
from service.esp_kit.campaigns import campaign_in
from service.esp_kit.dates import moment_of
from service.esp_kit.hosts import server_in
from service.esp_kit.identity import identity_of
from service.esp_kit.jsontext import JsonObject, text
from service.esp_kit.reading import event_type_in, read_items
from service.esp_kit.replies import MAX_DIAGNOSTIC, read_reply
from service.esp_kit.sign import BASIC
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType

_KINDS = {
    # SMTP2GO's event -> ours
    "processed": EventKind.QUEUED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.BOUNCED,
    "reject": EventKind.REJECTED,  # bounced, complained or unsubscribed before
    "spam": EventKind.COMPLAINED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "resubscribe": EventKind.SUBSCRIBED,
}
_REPORTED = {"hard": ReportedType.HARD, "soft": ReportedType.SOFT}

# SMTP2GO's own fields; whatever else there is are the headers that the webhook was told to add
_OWN_FIELDS = (
    "event bounce time sendtime sender from from_address from_name rcpt recipients auth host hostname srchost message context email_id "
    "id subject url user-agent client client-os client-device read-secs token webhook_id"
)
_OWN = frozenset(_OWN_FIELDS.split())


def _parse(delivery: Delivery) -> Parsed:
    return read_items([_fields(delivery)], _read, known=_KINDS)


def _fields(delivery: Delivery) -> JsonObject:
    if delivery.body.lstrip()[:1] in {b"=", b"&", b""} or delivery.content_type.lower().startswith(
        ("application/x-www-form-urlencoded", "multipart/")
    ):
        return dict(forms.first_values(forms.read_form(delivery.body, delivery.content_type)))
    return jsontext.load_object(delivery.body)
