"""What does a raw mail that came back to us tell: a delivery report, a complaint, a bounce in words, or an answering machine?

The order matters: reports are marked as automatic answers too, so only a mail that is no report can be an answering machine's; and what a
mail system itself writes proves no living reader.
"""

from service.esp_kit import jsontext
from service.esp_kit.addresses import address_of
from service.esp_kit.dsn_answers import answering_mark
from service.esp_kit.dsn_feedback import feedback_in
from service.esp_kit.dsn_fields import address_in_verp, mail_date
from service.esp_kit.dsn_mime import Mail, decoded_words, read_mail
from service.esp_kit.dsn_report import original_id, rejection_in, report_in
from service.esp_kit.dsn_texts import is_named_a_bounce
from service.esp_kit.identity import bare_message_id, identity_of
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind

_RECEIPT = "disposition-notification"
_RECEIPT_PART = "message/disposition-notification"
_REPORTS = frozenset({"delivery-status", "feedback-report"})


def parse_mail(delivery: Delivery, esp: str) -> Parsed:
    """The events of the mail; UnreadableError where it is none, or none of these."""
    mail = read_mail(delivery.body, delivery.content_type)
    receipt = next(iter(mail.parts_of(_RECEIPT_PART)), None)
    if receipt or mail.report_type == _RECEIPT:
        return (receipt and rejection_in(receipt, mail, esp)) or Parsed()  # that a mail was shown says nothing of its delivery
    found = feedback_in(mail, esp) or report_in(mail, esp) or _attached(mail, esp)
    if found is not None:
        return found
    answering = None if is_named_a_bounce(mail) else answering_mark(mail)
    if answering is None:
        raise UnreadableError("the mail is no report, no bounce in words that are known, and no automatic answer")
    return Parsed(events=(_autoresponse(mail, answering, esp),))


def _attached(mail: Mail, esp: str) -> Parsed | None:
    """A report that some gateway has packed into a mail of its own."""
    for part in mail.parts_of("message/rfc822"):
        try:
            inner = read_mail(part.body, "")
        except UnreadableError:
            continue
        if inner.report_type in _REPORTS or is_named_a_bounce(inner):
            return feedback_in(inner, esp) or report_in(inner, esp)
    return None


def _autoresponse(mail: Mail, answering: str, esp: str) -> Event:
    message_id, report_id = original_id({}, mail), bare_message_id(mail.header("message-id"))
    occurred_at = mail_date(mail.header("date"))
    return Event(
        kind=EventKind.AUTORESPONDED,
        esp=esp,
        recipient=address_in_verp(mail.header("to")) or address_of(mail.header("from")),  # he may answer by another address
        occurred_at=occurred_at,
        message_id=message_id,
        esp_event_id=report_id[: jsontext.MAX_TEXT] if report_id else None,
        esp_event_type="autoresponse",
        esp_class=answering,
        subject=decoded_words(mail.header("subject")),
        identity=identity_of("autoresponse", report_id or occurred_at, message_id),
    )
