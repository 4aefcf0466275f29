"""What does django-anymail take? Its own views with its own signature checks, and a receiver that saves each event with the ORM.

It keeps no raw body, labels nothing and counts nothing. Run by itself it makes its table. Batches are saved in one transaction
(ATOMIC_REQUESTS), which is several times faster than Django's default of one an event.
"""

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django  # type: ignore[import-not-found]  # installed for the peers alone
from django.conf import settings  # type: ignore[import-not-found]  # as above
from django.core.wsgi import get_wsgi_application  # type: ignore[import-not-found]  # as above

_url = urlsplit(os.environ["PEER_DATABASE"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    ANYMAIL={
        "MAILGUN_WEBHOOK_SIGNING_KEY": os.environ["PEER_MAILGUN_KEY"],
        "SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY": os.environ["PEER_SENDGRID_KEY"],
    },
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": _url.path.lstrip("/"),
            "USER": _url.username,
            "HOST": parse_qs(_url.query)["host"][0],
            "CONN_MAX_AGE": None,
            "ATOMIC_REQUESTS": True,
        }
    },
    DATA_UPLOAD_MAX_MEMORY_SIZE=50_000_000,
    INSTALLED_APPS=["anymail"],
    LOGGING_CONFIG=None,
    MIDDLEWARE=[],
    ROOT_URLCONF=__name__,
    SECRET_KEY="for nothing",  # noqa: S106 - nothing is signed with it
    USE_TZ=True,
)
django.setup()

from anymail.signals import tracking  # type: ignore[import-not-found]  # noqa: E402 - Django is set up first
from django.db import connection, models  # type: ignore[import-not-found]  # noqa: E402
from django.urls import include, path  # type: ignore[import-not-found]  # noqa: E402

urlpatterns = [path("anymail/", include("anymail.urls"))]


class TrackedEvent(models.Model):  # type: ignore[misc]  # Django is installed beside the peers only
    """One event, as anymail normalises it."""

    key = models.CharField(max_length=100, unique=True)
    esp = models.CharField(max_length=20)
    event_type = models.CharField(max_length=20)
    recipient = models.CharField(max_length=320)
    occurred_at = models.DateTimeField(null=True)
    message_id = models.CharField(max_length=255, null=True)  # noqa: DJ001 - as anymail gives it
    reject_reason = models.CharField(max_length=20, null=True)  # noqa: DJ001
    mta_response = models.TextField(null=True)  # noqa: DJ001
    tags = models.JSONField()
    metadata = models.JSONField()

    class Meta:
        """Where it belongs."""

        app_label = "peer"
        db_table = "peer_event"

    def __str__(self) -> str:
        return str(self.key)


def _save(sender: Any, event: Any, esp_name: str, **_: Any) -> None:  # noqa: ANN401 - anymail's own types
    # For Mailgun anymail takes the signature's token for the event's id; its own id is the one that stays.
    key = event.esp_event["event-data"]["id"] if esp_name == "Mailgun" else event.event_id
    TrackedEvent.objects.create(
        key=key,
        esp=esp_name,
        event_type=event.event_type,
        recipient=event.recipient,
        occurred_at=event.timestamp,
        message_id=event.message_id,
        reject_reason=event.reject_reason,
        mta_response=event.mta_response,
        tags=event.tags,
        metadata=event.metadata,
    )


tracking.connect(_save)
application = get_wsgi_application()

if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(TrackedEvent)
