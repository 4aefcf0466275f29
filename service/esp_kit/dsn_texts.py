"""What does a bounce say that is no delivery report but a text, as qmail, Exim, old Postfix, Exchange and others write it?

All of them name each address at the start of a line and say behind or below it what happened. What was found is given in the fields of a
delivery report, so that both are read alike.
"""

import re

from service.esp_kit.addresses import address_of, addresses_in
from service.esp_kit.dsn_answers import mark_of_an_answer
from service.esp_kit.dsn_fields import Group, address_in_verp
from service.esp_kit.dsn_mime import Headers, Mail, decoded_words, first, read_headers
from service.esp_kit.hosts import Server, ip_of
from service.esp_kit.replies import read_reply

_MAX_LINES = 3_000
_MAX_LINE = 1_000
_MAX_MARK = 80
_MAX_FOUND = 200
_MAX_LISTED = 4_000  # characters, where long headers are cut
_MAX_REGION = 12_000

# How the text of a bounce begins. Facts: qmail's QSBMF; the messages in Exim's, Postfix's and sendmail's sources; the patterns that
# flufl.bounce collects.
_OPENINGS = re.compile(
    r"this is the qmail-send program|this is the mail (?:system|delivery (?:agent|system)) at|this is the \S{0,20} ?postfix program|"
    r"created automatically by (?:the )?mail delivery (?:software|system|subsystem)|"
    r"(?:message|mail) (?:that you sent )?(?:could not|cannot|can't|couldn't|was not|has not been|wasn't) (?:be )?"
    r"(?:delivered|sent|accepted)|not yet been delivered|unable to deliver|not able to deliver|unable to relay|"
    r"delivery to the following (?:recipient|address)|del[ei]very (?:has )?failed|delivery (?:failure|status notification)|"
    r"(?:did|could|have|has|was|were|can)(?: ?not|n't) (?:be )?(?:reach(?:ed)?|receive|deliver(?:ed)?)|"
    r"the following (?:address|recipient|user)\S{0,6} (?:had|failed|cannot|could not|was|were|did)|fatal errors|"
    r"failed (?:recipients|addresses)|"
    r"undeliver(?:able|ed)|not been delivered|intended recipient: |returned to sender|no such user here|user's mailbox is full|"
    r"fehler bei der \w{0,20}zustellung|nicht (?:an .{0,30})?(?:zugestellt|zustellbar|ausgeliefert|erreicht werden)|"
    r"n'a (?:pas )?pu être (?:remis|livr|distribu|achemin)|"
    r"no se (?:ha )?pud\w{1,3} entregar|non .{0,30}(?:recapitato|consegnato)|niet worden (?:bezorgd|afgeleverd)"
)
_COPY = re.compile(
    r"(?:return-path|received|x-originating-ip):\s|original message (?:follows|attached|headers|details)|message headers follow"
)
_DASHED_COPY = re.compile(r"copy of|original|returned|undelivered|unsent|header|message text")
_TEMPORARY = re.compile(
    r"no action is required|not yet been delivered|has been delayed|delivery (?:is )?delayed|will (?:be retried|keep trying|continue to)|"
    r"attempts will continue|this is (?:just )?a warning|warning message only|message still undelivered|transient non-fatal"
)
_ENTRY = re.compile(
    r"[\s>*\"'\[-]{0,20}(?:(?!from|sender|reply|cc|contact)[A-Za-z][\w ]{1,30}: ?)?(?:\[?(?:smtp|mailto|rfc822)[:;] ?)?"
    r"[<\"'(\[]{0,2}([^\s<>\"'()\[\]:;,@]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252})[>\"')\]]{0,2}"
    r"(?:(?:: ?|\.\.\.|,|;| [(-] ?| on )(.{0,900})|[.\s]*)",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(r"(?<![^\s<>\"'(\[:;=])[^\s<>\"'()\[\]:;,=@]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_CONTACT = "postmaster@"  # whom to ask, not who was written to
_DAEMONS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "mdaemon", "mailerdaemon", "mail-delivery", "mailer_daemon"})
_EXCHANGE = "microsoftexchange329e71ec"  # the address that every Exchange server writes its reports by
_SUBJECT = re.compile(
    r"undeliver|deliver(?:y|ed)?\b.{0,40}(?:fail|status|problem|error|delay|notif|report)|fail(?:ed|ure).{0,20}(?:deliver|notice|mail)|"
    r"returned mail|mail (?:failure|system error)|error sending message|not delivered|unzustellbar|nicht zugestellt|"
    r"non remis|no entregado|non recapitat|onbestelbaar|nondeliverable|"
    r"not be deliver|unable to deliver|could not deliver",
    re.IGNORECASE,
)
_ANSWER = re.compile(r"\s*(?:re|aw|antw|sv|vs)\s*:", re.IGNORECASE)
_NAMED_SERVER = re.compile(r"\b(?:host:?|by|connect to) ([A-Za-z0-9][A-Za-z0-9._-]{0,250}?)\.? ?[\[(](?:IPv6:)?([0-9A-Fa-f.:]{3,45})[\])]")
_TALKED_TO = re.compile(r"\bwhile talking to ([A-Za-z0-9][A-Za-z0-9._-]{0,250}[A-Za-z0-9])")
_NAMED_IP = re.compile(r"(?:^|connected to |giving up on )(\d{1,3}(?:\.\d{1,3}){3})\b", re.IGNORECASE)
_QUOTED_COMMAND = re.compile(r">>> (rcpt to|mail from):")
_STAGES = {
    # what qmail says of the answer -> the command that was answered
    "does not like recipient": "RCPT TO",
    "but sender was rejected": "MAIL FROM",
    "failed after i sent the message": ".",
}


def bounce_in(mail: Mail) -> tuple[list[Group], Headers]:
    """A group of fields for each address that the text names, and the headers of the copy below it; nothing where it is no bounce."""
    is_named = is_named_a_bounce(mail)
    if not is_named and not _comes_back(mail):
        return [], {}
    lines = [line[:_MAX_LINE] for line in text_for_people(mail).splitlines()[:_MAX_LINES]]
    opening = next((at for at, line in enumerate(lines) if _OPENINGS.search(line.lower())), None)
    named = _failed_recipients(mail)
    is_known = opening is not None or bool(named) or _is_from_a_daemon(mail)
    if not is_known and not is_named:
        return [], {}
    start = opening or 0
    end = next((at for at in range(start + 1, len(lines)) if _begins_a_copy(lines[at])), len(lines))
    region = lines[start:end]
    whole = " ".join(line.strip() for line in region if line.strip())[:_MAX_REGION]
    told = _entries(region)
    if not is_known:  # in words of no known language only a server's answer can be believed
        told = {address: said for address, said in told.items() if read_reply(said).smtp_code}
    elif not told and is_named:
        told = _only_address(" ".join(lines[:end])[:_MAX_REGION], mail)
    words = {address: told.get(address, "") for address in named or told}
    if len(words) == 1 and not any(words.values()):
        words = dict.fromkeys(words, whole)
    action = "delayed" if _TEMPORARY.search(whole.lower()) else "failed"
    return [_group(address, action, said) for address, said in words.items()], _copied(lines[end:])


def _failed_recipients(mail: Mail) -> tuple[str, ...]:
    listed = ", ".join(mail.headers.get("x-failed-recipients", ()))
    if len(listed) >= _MAX_LISTED:
        listed = listed[:_MAX_LISTED].rpartition(",")[0]  # the last address may be cut in two, and half of one is somebody else's
    return addresses_in(listed)[:_MAX_FOUND]


def text_for_people(mail: Mail) -> str:
    """The first part that people are meant to read."""
    readable = mail.parts_of("text/plain") or mail.parts_of("text/html") or list(mail.parts)
    return readable[0].text if readable else ""


def server_named_in(words: str) -> Server:
    """The server whose answer the words quote, as in `host mx.example[203.0.113.5] said`."""
    found = _NAMED_SERVER.search(words)
    if found and ip_of(found[2]):
        return Server(found[1], ip_of(found[2]))
    talked, bare = _TALKED_TO.search(words), _NAMED_IP.search(words)
    return Server(talked[1] if talked else None, ip_of(bare[1]) if bare else None)


def stage_named_in(words: str) -> str | None:
    """The command that qmail means, or that sendmail quotes; with DATA it may have sent others ahead, whose answers are quoted then."""
    lowered = words.lower()
    quoted = _QUOTED_COMMAND.search(lowered)
    return quoted[1] if quoted else next((command for said, command in _STAGES.items() if said in lowered), None)


def is_named_a_bounce(mail: Mail) -> bool:
    """Is it one by its sender or its subject? An automatic answer to a mail about a delivery has such a subject too."""
    if "x-failed-recipients" in mail.headers or _is_from_a_daemon(mail):
        return True
    subject = decoded_words(mail.header("subject")) or ""
    return _SUBJECT.search(subject) is not None and not _ANSWER.match(subject) and mark_of_an_answer(mail) is None


def _is_from_a_daemon(mail: Mail) -> bool:
    """Does the mail call itself a mail system's?"""
    sender = (address_of(mail.header("from")) or mail.header("from") or "").lower()
    local = sender.partition("@")[0].strip('"<> ')
    return local in _DAEMONS or local.startswith(_EXCHANGE)


def _comes_back(mail: Mail) -> bool:
    """Has it the null return path? So have answering machines, some of which say that their owner cannot be reached."""
    is_answer = "in-reply-to" in mail.headers or mark_of_an_answer(mail) is not None
    return not is_answer and (mail.header("return-path") or "").replace(" ", "") == "<>"


def _begins_a_copy(line: str) -> bool:
    """Is what follows the mail that came back? Such a line has dashes before it, or is a header, or says so."""
    words = line.strip().lstrip("|>* ").lower()
    bare = words.strip("-|>*= ")[:_MAX_MARK]
    return bool(_COPY.match(bare) or "copy of your message" in bare or (words.startswith("--") and _DASHED_COPY.search(bare)))


def _entries(region: list[str]) -> dict[str, str]:
    """What is said of each address: the rest of its line and all lines until the next address."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in region:
        is_quoted = line.startswith(">>> ") or "transcript of session" in line.lower()
        entry = _ENTRY.fullmatch(line.rstrip()) if "@" in line and not is_quoted else None
        address = address_of(entry[1].rstrip(".")) if entry else None
        if entry and address and len(found) < _MAX_FOUND and not address.startswith(_CONTACT):
            current = found.setdefault(address, [])
            current.append((entry[2] or "").strip())
        elif current is not None:
            current.append(line.strip())
    return {address: " ".join(part for part in parts if part) for address, parts in found.items()}


def _only_address(words: str, mail: Mail) -> dict[str, str]:
    """The one address of a text that is laid out in no known way; where it names more than one, nobody knows which."""
    own = {(address_of(mail.header(name)) or "").rpartition("@")[2] for name in ("to", "delivered-to", "x-original-to")}
    found = {address for written in _ANYWHERE.findall(words) if (address := address_of(written.rstrip(".")))}
    strange = [address for address in found if address.rpartition("@")[2] not in own and not address.startswith(_CONTACT)]
    returned = address_in_verp(mail.header("to")) if not strange else None  # a text that names none, sent to our own return path
    only = [returned] if returned else strange
    return dict.fromkeys(only, "") if len(only) == 1 else {}


def _group(address: str, action: str, said: str) -> Group:
    group = {"final-recipient": f"rfc822; {address}", "action": action}
    if said:
        group["diagnostic-code"] = said
    return group


def _copied(lines: list[str]) -> Headers:
    """The headers of the mail that is quoted under the text, some lines below where the copy begins."""
    while lines and not re.match(r"[A-Za-z-]{2,40}: ", lines[0]):
        lines = lines[1:]
    headers = read_headers("\n".join(lines[:_MAX_LINES]).encode("utf-8", "replace"))
    return headers if first(headers, "message-id") or first(headers, "subject") else {}
