"""What did the remote server, and the ESP that asked it, say about one mail?"""

from dataclasses import dataclass

from service.model.words import ReportedType, SmtpStage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """All that the classifier may look at. Everything but the text may be missing; the text may be empty."""

    text: str
    smtp_code: int | None = None
    enhanced_status_code: str | None = None
    stage: SmtpStage | None = None
    remote_host: str | None = None
    esp_class: str | None = None
    esp_subclass: str | None = None
    reported_type: ReportedType | None = None
