"""Complaints (RFC 5965) as one's own mail server posts them, raw; a bounce or an automatic answer in the same mailbox is read too.

Oddities: most providers cut the reader's address out, so it is looked for in our own return path and in the quoted mail; the date of
arrival in the report is the mail's, the complaint's own is that of the report. Facts: RFC 5965 and 6591, IANA's list of feedback types.
"""

from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.dsn_mail import parse_mail
from service.esp_kit.flaws import STANDARD_WEBHOOK_FLAW
from service.esp_kit.sign import STANDARD_WEBHOOK
from service.esp_kit.verify_hmac import SHORT_WINDOW, verify_standard_webhook
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Parsed


def _parse(delivery: Delivery) -> Parsed:
    return parse_mail(delivery, "arf")


ADAPTER = Adapter(
    name="arf",
    title="Complaint mails (ARF)",
    verify=checked(verify_standard_webhook),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=False, smtp_text=False, remote_host=True, sending_ip=True, engagement=False
    ),
    signer=STANDARD_WEBHOOK,
    schemes=("signature", *STATIC_SCHEMES),
    replay_window_hours=SHORT_WINDOW.total_seconds() / 3_600,
    find_flaw=STANDARD_WEBHOOK_FLAW,
    guide=(
        "Register the feedback address at each provider, and let the mail server pipe every mail to it into a program that posts it whole "
        "as message/rfc822 with a secret header, basic auth, or a signature by Standard Webhooks. Send with a return path that names the "
        "recipient (VERP): most complaints tell of nobody else."
    ),
)
