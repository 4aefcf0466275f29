"""Bounce mails (RFC 3464) as one's own mail server posts them, raw; also bounces that are only a text, and answering machines.

Oddities: a mail proves nothing about who wrote it, so what is proven is only that our own server posted it; a report tells of several
recipients; whether a refusal came in the session or later shows in who writes the report. Facts: RFC 3464, 6522 and 6533.
"""

from service.esp_kit.adapter import Adapter, Capabilities
from service.esp_kit.dsn_mail import parse_mail
from service.esp_kit.flaws import STANDARD_WEBHOOK_FLAW
from service.esp_kit.sign import STANDARD_WEBHOOK
from service.esp_kit.verify_hmac import SHORT_WINDOW, verify_standard_webhook
from service.esp_kit.verify_static import STATIC_SCHEMES, checked
from service.model.events import Delivery, Parsed


def _parse(delivery: Delivery) -> Parsed:
    return parse_mail(delivery, "dsn")


ADAPTER = Adapter(
    name="dsn",
    title="Bounce mails (DSN)",
    verify=checked(verify_standard_webhook),
    parse=_parse,
    capabilities=Capabilities(
        signature="body", batches=False, delivered_events=False, smtp_text=True, remote_host=True, sending_ip=False, engagement=False
    ),
    signer=STANDARD_WEBHOOK,
    schemes=("signature", *STATIC_SCHEMES),
    replay_window_hours=SHORT_WINDOW.total_seconds() / 3_600,
    find_flaw=STANDARD_WEBHOOK_FLAW,
    guide=(
        "Let the mail server pipe every mail to the bounce address into a program that posts it whole as message/rfc822, one a request, "
        "with a secret header, basic auth, or a signature by Standard Webhooks, and that exits with 75 (try again) unless the answer is "
        "2xx. Anybody can mail to that address: let the server take only signed return paths (BATV, VERP with a token)."
    ),
)
