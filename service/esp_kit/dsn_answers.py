"""What says that a machine wrote this mail in answer to ours, an out-of-office notice for example?

Bounces are marked as automatic answers too (`Auto-Submitted`), so the marks that they do not bear stand apart.
"""

import re

from service.esp_kit.dsn_mime import Mail, decoded_words
from service.esp_kit.jsontext import MAX_TEXT

_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply")
_PRECEDENCE = frozenset({"auto_reply", "auto-reply"})
_SUBJECT = re.compile(
    r"\s*(?:auto(?:matic|mated|matische|matisch)?[ -]?(?:reply|response|responder|antwort)|out of (?:the )?office|abwesenheit|"
    r"r[ée]ponse automatique|respuesta autom[áa]tica|risposta automatica|automatisch antwoord|"
    r"abwesend|nicht im (?:b[üu]ro|haus)|absen(?:t|ce) du bureau|fuera de la oficina|fuori (?:sede|ufficio)|afwezig|"
    r"vacation (?:reply|response|message)|i(?:'m| am) (?:out of (?:the )?office|away|on (?:vacation|leave|holiday)))",
    re.IGNORECASE,
)


def answering_mark(mail: Mail) -> str | None:
    """The mark of an answering machine; None where the mail seems to be a person's."""
    submitted = (mail.header("auto-submitted") or "").partition(";")[0].strip().lower()
    return submitted[:MAX_TEXT] if submitted and submitted != "no" else mark_of_an_answer(mail)


def mark_of_an_answer(mail: Mail) -> str | None:
    """A mark that no bounce bears."""
    named = next((name for name in _HEADERS if name in mail.headers), None)
    if named or (mail.header("precedence") or "").strip().lower() in _PRECEDENCE:
        return named or "precedence"
    return "subject" if _SUBJECT.match(decoded_words(mail.header("subject")) or "") else None
