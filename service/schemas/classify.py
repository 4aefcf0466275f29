"""How does the API word a reply that is to be classified, and what the classifier says of it?"""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, pre_load, validate

from service.model.words import Doubt, Label, Persistence, ReportedType, SmtpStage
from service.schemas.fields import query_choice, saying, word

REPLIES_MAX = 1_000
_EVENT_NAMES = {"diagnostic": "text", "smtp_stage": "stage"}  # what an event calls the same things
_NAME_LENGTH = 255


def _said(description: str, mend: str = "Give a text, or leave it out.") -> fields.String:
    return fields.String(
        allow_none=True,
        validate=validate.Length(max=_NAME_LENGTH, error=f"Is longer than {_NAME_LENGTH} characters."),
        error_messages=saying("Is no text."),
        metadata={"description": description, "x-mend": mend},
    )


class ReplySchema(Schema):
    """What the remote server, and the ESP that asked it, said about one mail."""

    text = fields.String(
        required=True,
        error_messages=saying("Is no text."),
        metadata={
            "description": "The server's answer, verbatim; may be empty. `diagnostic`, as events call it, is taken too.",
            "x-mend": "Give the answer as a text.",
        },
    )
    smtp_code = fields.Integer(
        allow_none=True,
        validate=validate.Range(200, 599, error="Is no reply code."),
        error_messages=saying("Is no whole number."),
        metadata={"description": "Reply code, where the answer does not hold it.", "x-mend": "Give a whole number from 200 to 599."},
    )
    enhanced_status_code = fields.String(
        allow_none=True,
        validate=validate.Regexp(r"[245]\.\d{1,3}\.\d{1,3}\Z", error="Is no enhanced status code."),
        error_messages=saying("Is no text."),
        metadata={"description": "Enhanced status code, where the answer does not hold it.", "x-mend": "Write it as 5.1.1."},
    )
    stage = query_choice(SmtpStage, "The command that was refused. `smtp_stage`, as events call it, is taken too.", allow_none=True)
    remote_host = _said("Name of the server that answered.")
    esp_class = _said("The ESP's own class of the bounce.")
    esp_subclass = _said("The ESP's own finer class.")
    reported_type = query_choice(ReportedType, "What the ESP claims.", allow_none=True)
    explain = fields.Boolean(
        load_default=False,
        error_messages=saying("Is neither true nor false."),
        metadata={"description": "Also show every rule that matched, the winner and why.", "x-mend": "Give true or false."},
    )

    @pre_load
    def take_names_of_events(self, given: Any, **_: object) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Let `diagnostic` and `smtp_stage` stand for `text` and `stage`."""
        if not isinstance(given, Mapping):
            return given
        return {_EVENT_NAMES.get(name, name) if _EVENT_NAMES.get(name) not in given else name: value for name, value in given.items()}


class MatchSchema(Schema):
    """A rule that matched."""

    rule = fields.String()
    label = word(Label)
    file = fields.String()
    source = fields.String(metadata={"description": "Who says so."})
    evidence = fields.String(metadata={"description": "The words that it matched."})
    line = fields.Integer(metadata={"description": "Index in `lines`; 0 is the innermost answer."})
    standing = fields.String(metadata={"description": "`wins`, or why it does not."})


class ExplanationSchema(Schema):
    """How an answer came by its label."""

    why = fields.String()
    stage = fields.String(allow_none=True)
    lines = fields.List(fields.String(), metadata={"description": "The answer as the rules see it, an inner answer first."})
    matches = fields.List(fields.Nested(MatchSchema), metadata={"description": "Every rule that matched, in the order of the rules."})


class ClassificationSchema(Schema):
    """What the classifier says of one reply."""

    label = word(Label)
    group = fields.String(metadata={"description": "Coarse group of the label."})
    persistence = word(Persistence)
    doubt = word(Doubt)
    doubt_reason = fields.String(allow_none=True)
    rule = fields.String(metadata={"description": "Id of the rule that won; empty where none did."})
    evidence = fields.String(allow_none=True, metadata={"description": "The matched words."})
    vendor = fields.String(allow_none=True, metadata={"description": "The gateway or provider that speaks."})
    blocklist = fields.String(allow_none=True)
    retry_after_seconds = fields.Integer(allow_none=True)
    rules_version = fields.String(metadata={"description": "Changes with any change of any rule."})
    explanation = fields.Nested(ExplanationSchema, allow_none=True, metadata={"description": "Null unless asked for with `explain`."})


REPLY_EXAMPLE: dict[str, Any] = {"text": "550 5.4.1 Recipient address rejected: Access denied", "smtp_code": 550, "explain": True}
CLASSIFICATION_EXAMPLE: dict[str, Any] = {
    "label": "invalid_recipient",
    "group": "recipient",
    "persistence": "unclear",
    "doubt": "likely",
    "doubt_reason": "the edge directory does not know the address; new people and aliases are missing there while directory sync lags",
    "rule": "microsoft.edge-directory",
    "evidence": "5.4.1 recipient address rejected: access denied",
    "vendor": "microsoft",
    "blocklist": None,
    "retry_after_seconds": None,
    "rules_version": "6f1c0a92b7de",
    "explanation": {
        "why": 'rule microsoft.edge-directory is the first that counts, by "5.4.1 recipient address rejected: access denied"',
        "stage": None,
        "lines": ["550 5.4.1 recipient address rejected: access denied"],
        "matches": [
            {
                "rule": "microsoft.edge-directory",
                "label": "invalid_recipient",
                "file": "10-microsoft.toml",
                "source": "Microsoft Learn: fix error 5.4.1, directory-based edge blocking",
                "evidence": "5.4.1 recipient address rejected: access denied",
                "line": 0,
                "standing": "wins",
            }
        ],
    },
}
