"""Do an ESP's words about a soft bounce say that a machine of the recipient's answered, so that the mailbox lives?"""

import re

_AUTO_REPLY = re.compile(
    r"out[ -]of[ -](?:the[ -])?office|auto(?:matic|mated)?[ -]?(?:reply|response|responder)|auto-?submitted|on vacation|"
    r"on (?:annual )?leave|abwesenheit|absence du bureau|fuera de la oficina",
    re.IGNORECASE,
)


def is_auto_reply(words: str | None) -> bool:
    """An out-of-office notice or another automatic answer."""
    return bool(words) and _AUTO_REPLY.search(words or "") is not None
