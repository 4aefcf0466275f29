"""What does an ESP get back, whatever carries it over HTTP?"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask.json import dumps

from service.web.problems import CONTENT_TYPE, title_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer to a webhook request."""

    status: int
    body: str = ""
    content_type: str = ""  # "" where there is no body
    headers: Mapping[str, str] = field(default_factory=dict)


def refusal(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """A problem document that tells an ESP no more than the status does."""
    body = dumps({"type": f"/docs#problem-{status}", "title": title_of(status), "status": status})
    return Answer(status=status, body=body, content_type=CONTENT_TYPE, headers=headers or {})
