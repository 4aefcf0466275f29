"""What do the servers of this world call themselves, and what do they answer?"""

from bench.world.kinds import Kind

CONSUMER_DOMAINS = (
    "gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "gmx.de", "web.de", "icloud.com", "aol.com",
    "t-online.de", "orange.fr", "libero.it", "live.com", "msn.com", "gmx.net", "free.fr", "wanadoo.fr",
    "comcast.net", "yahoo.co.uk", "protonmail.com", "mail.ru",
)  # fmt: skip

# share among the domains behind a gateway, and the MX name with the customer's number in it
GATEWAYS = {
    "proofpoint_enterprise": (0.28, "mx0a-{number:08x}.pphosted.com"),
    "mimecast": (0.24, "eu-smtp-inbound-{digit}.mimecast.com"),
    "cisco": (0.15, "mx1.hc{number}-56.iphmx.com"),
    "barracuda": (0.14, "d{number}a.ess.barracudanetworks.com"),
    "symantec_cloud": (0.07, "cluster{digit}.eu.messagelabs.com"),
    "trendmicro": (0.05, "hop{number}.in.tmes.trendmicro.com"),
    "sophos": (0.04, "mx-01-eu-central-1.prod.hydra.sophos.com"),
    "hornetsecurity": (0.03, "mx0{digit}.hornetsecurity.com"),
}
GATEWAY_SUFFIXES = {
    ".pphosted.com": "proofpoint_enterprise",
    ".mimecast.com": "mimecast",
    ".iphmx.com": "cisco",
    ".ess.barracudanetworks.com": "barracuda",
    ".messagelabs.com": "symantec_cloud",
    ".trendmicro.com": "trendmicro",
    ".hydra.sophos.com": "sophos",
    ".hornetsecurity.com": "hornetsecurity",
}
# mailbox hosts are no gateways: they know their own people
MAILBOX_HOSTS = {
    "microsoft_365": (0.45, "{label}.mail.protection.outlook.com"),
    "google": (0.30, "aspmx.l.google.com"),
    "own": (0.25, "mail.{domain}"),
}

UNKNOWN_USER = {
    "proofpoint_enterprise": (550, "5.1.1", "550 5.1.1 User Unknown"),
    "mimecast": (550, "5.1.1", "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550"),
    "cisco": (550, "5.1.0", "550 #5.1.0 Address rejected."),
    "barracuda": (550, "5.1.1", "550 No such user ({address})"),
    "symantec_cloud": (550, "5.1.1", "550-Invalid recipient <{address}> (#5.1.1)"),
    "trendmicro": (550, "5.1.1", "550 5.1.1 <{address}>: Recipient address rejected: User unknown"),
    "sophos": (550, "5.1.1", "550 5.1.1 <{address}>: Recipient address rejected: undeliverable address"),
    "hornetsecurity": (550, "5.1.1", "550 5.1.1 <{address}>: invalid recipient address"),
    "microsoft_365": (550, "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {address} not found by SMTP address lookup"),
    "google": (550, "5.1.1", "550-5.1.1 The email account that you tried to reach does not exist. NoSuchUser - gsmtp"),
    "own": (550, "5.1.1", "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"),
    "consumer": (550, "5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable"),
}
LEFT = (550, "5.1.1", "550 5.1.1 <{address}> no longer works here")
# what an honest server says when it refuses the sender and not the person
HONEST = {
    Kind.BLOCK: (550, "5.7.1", "550 5.7.1 Access denied by the policy of this organisation"),
    Kind.VELOCITY: (550, "5.7.1", "550 Too many invalid recipients, try again later"),
    Kind.REPUTATION: (554, "5.7.1", "554 5.7.1 Your access has been rejected due to the sending server's poor reputation"),
    Kind.CONTENT: (554, "5.7.1", "554 5.7.1 Message rejected due to content filter"),
    Kind.ESP_FAULT: (550, "5.0.0", "550 5.0.0 Requested action not taken"),
}
MAILBOX_FULL = (452, "4.2.2", "452 4.2.2 The recipient's mailbox is full")
GREYLISTED = (451, "4.7.1", "451 4.7.1 Greylisting in action, please come back later")


def gateway_of(host: str) -> str | None:
    """The gateway that a server's name belongs to, None for a mailbox host."""
    return next((vendor for suffix, vendor in GATEWAY_SUFFIXES.items() if host.endswith(suffix)), None)
