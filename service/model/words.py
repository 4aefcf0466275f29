"""Which words do events, labels and alerts use, and what does each mean?

The spelling of each member is a promise to the outside: it stands in the database, in the API and in exports.
"""

from enum import StrEnum


class EventKind(StrEnum):
    """What happened to one mail for one recipient."""

    QUEUED = "queued"
    SENT = "sent"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    REJECTED = "rejected"  # the ESP never tried: never counted as a bounce
    FAILED = "failed"  # our own or the ESP's fault (template, quota)
    COMPLAINED = "complained"
    AUTORESPONDED = "autoresponded"
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    SUBSCRIBED = "subscribed"
    OTHER = "other"


class ReportedType(StrEnum):
    """What the ESP claims about a bounce; kept verbatim for ever."""

    HARD = "hard"
    SOFT = "soft"
    BLOCK = "block"
    UNDETERMINED = "undetermined"


class Phase(StrEnum):
    """When the refusal came: in the SMTP session, in a later report, or by the ESP alone."""

    SYNC = "sync"
    ASYNC = "async"
    LOCAL = "local"
    UNKNOWN = "unknown"


class SmtpStage(StrEnum):
    """The SMTP command that the remote server refused (RFC 5321, section 4.1.1)."""

    CONNECT = "connect"
    HELO = "helo"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


class Label(StrEnum):
    """What the server's answer says, by the classifier."""

    INVALID_RECIPIENT = "invalid_recipient"
    INVALID_DOMAIN = "invalid_domain"
    INACTIVE_MAILBOX = "inactive_mailbox"
    RECIPIENT_MOVED = "recipient_moved"
    MAILBOX_FULL = "mailbox_full"
    REPUTATION_BLOCK = "reputation_block"
    CONTENT_BLOCK = "content_block"
    POLICY_BLOCK = "policy_block"
    AUTH_FAILURE = "auth_failure"
    RATE_LIMITED = "rate_limited"
    GREYLISTED = "greylisted"
    MESSAGE_TOO_LARGE = "message_too_large"
    PROTOCOL_ERROR = "protocol_error"
    SERVER_ERROR = "server_error"
    NETWORK_ERROR = "network_error"
    EXPIRED = "expired"
    SENDER_REJECTED = "sender_rejected"
    SUPPRESSED = "suppressed"
    AUTO_REPLY = "auto_reply"
    UNDETERMINED = "undetermined"


class Persistence(StrEnum):
    """Will the same mail be refused again?"""

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    UNCLEAR = "unclear"


class Doubt(StrEnum):
    """Can this wording also be given to a live mailbox?"""

    NONE = "none"
    POSSIBLE = "possible"
    LIKELY = "likely"


class DeliveryState(StrEnum):
    """What became of a delivery, as the archive keeps it."""

    PROCESSED = "processed"
    QUARANTINED = "quarantined"
    NOT_AUTHENTIC = "not_authentic"
    ERASED = "erased"  # its body held the address of somebody who asked to be forgotten


class DomainClass(StrEnum):
    """What kind of recipient domain: thresholds differ by it."""

    CONSUMER = "consumer"
    BUSINESS = "business"
    BUSINESS_GATEWAY = "business_gateway"


class AlertState(StrEnum):
    """The states an alert row can have; `pending` is only a due check and has no row."""

    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How loud an alert is."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


class Role(StrEnum):
    """What an API token may do; each role includes the ones before it."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"
