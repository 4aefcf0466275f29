"""What should somebody do about an alert?"""

from collections.abc import Sequence

from service.schemas.wordings import Wording


def next_steps(*, domain: str, gateway: str | None, people: int, window_hours: int, wordings: Sequence[Wording]) -> list[dict[str, str]]:
    """The three ways on, each with what is at hand for it. No addresses."""
    who = f"{gateway} in front of {domain}" if gateway else domain
    said = f" Quote what it says: “{wordings[0].wording}” ({wordings[0].count} of {people})." if wordings else ""
    return [
        {
            "step": "check_esp",
            "text": f"Have the ESP check its side: are its sending addresses blocked or slowed down at {who}, and does it report"
            f" the server's own answer?{said}",
        },
        {
            "step": "ask_recipient_it",
            "text": f"Ask the IT of {domain} why mail to {people} of its people was refused within {window_hours} hours, with the"
            " sample events of this alert (time, server, answer) as evidence, and to allow your sending addresses.",
        },
        {
            "step": "accept_turnover",
            "text": f"If {domain} confirms that these people have left, accept it as staff turnover: take them off the list and go"
            " on sending to everybody else.",
        },
    ]
