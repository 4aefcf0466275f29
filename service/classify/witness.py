"""How does the ESP itself file this answer, and does that agree with what the answer says?"""

import re
from collections.abc import Mapping

from service.classify.doubt import Misgiving
from service.classify.groups import GROUP_OF, Group
from service.model.words import Doubt, Label, ReportedType

_NOT_A_WORD = re.compile(r"[^a-z0-9]+")

# An ESP's own class, in lower case without signs -> the label it amounts to. Classes that several ESPs share mean the
# same with all of them; a class that says only "hard", "soft" or "general" is no reading of the answer and is not here.
_CLASSES: Mapping[Label, str] = {
    Label.INVALID_RECIPIENT: (
        # SendGrid, SES, Postmark, KumoMTA, PowerMTA, Mailtrap, Mandrill, Elastic Email, Unisender Go, Mailjet
        "invalidaddress noemail badmailbox badrecipient invalidrecipient erruserunknown nomailbox userunknown bademailaddress"
        " 10 15"  # SparkPost: invalid recipient, recipient refused
    ),
    Label.INVALID_DOMAIN: "baddomain invaliddomain dnsproblem nomailhost errdomaininactive",
    Label.INACTIVE_MAILBOX: "inactivemailbox mailboxinactive erruserinactive errmailboxdiscarded",
    Label.MAILBOX_FULL: "mailboxfull overquota quotaissues quotaexceeded errmailboxfull 22",
    Label.MESSAGE_TOO_LARGE: "messagetoolarge errtoolarge 23",
    Label.REPUTATION_BLOCK: "reputation spamblock errblacklisted blacklist senderblocked espblock 51",
    Label.CONTENT_BLOCK: (
        "content contentrejected attachmentrejected spamcontent spamrelated contentrelated virusrelated prohibitedattachment"
        " spamnotification virusnotification contentfilter contentblocked errspamrejected spam spamgmail virus spamdetected 52 53"
    ),
    Label.POLICY_BLOCK: "policyrelated policyissue serverpolicy relayingissues relaydenied relayfail policy blocked block 50 54",
    Label.AUTH_FAILURE: "authenticationfailed dmarcpolicy spfproblem auth",
    Label.RATE_LIMITED: "frequencyorvolumetoohigh toomanyrecipients throttled rate",
    Label.GREYLISTED: "greylisted greylisting greylist",
    Label.PROTOCOL_ERROR: "protocolerrors protocol protocolissue",
    Label.SERVER_ERROR: "technicalfailure badconfiguration routingerrors serverfail recipientservererror errdestinationmisconfigured",
    Label.NETWORK_ERROR: (
        "dnserror dnsfailure dnsfail noanswerfromhost badconnection connectionissue connectionproblem connectionterminated"
        " errunreachable network transientcommunicationfailure 21"
    ),
    Label.EXPIRED: "messageexpired expiration customtimeoutexceeded timeout old 24",
    Label.SENDER_REJECTED: "invalidsender badsender sender",
    Label.SUPPRESSED: (
        "suppressed onaccountsuppressionlist unsubscribedrecipient suppressbounce suppresscomplaint suppressunsubscribe"
        " manuallydeactivated preblocked errunsubscribed spamreporter adminbounce 25"
    ),
    Label.AUTO_REPLY: "autoreply autoresponder addresschange challengeresponse challengeverification 60 100",
}
_LABEL_OF: Mapping[str, Label] = {word: label for label, words in _CLASSES.items() for word in words.split()}
_REFUSES_MAIL = frozenset({Group.BLOCK, Group.THROTTLE})


def label_by_esp(esp_class: str | None, esp_subclass: str | None) -> Label | None:
    """Give the label that the ESP's own class amounts to; the subclass is the finer word and goes first."""
    for word in (esp_subclass, esp_class):
        found = _LABEL_OF.get(_NOT_A_WORD.sub("", word.lower())) if word else None
        if found is not None:
            return found
    return None


def disagreement(label: Label, esp_label: Label | None, esp_words: str, reported_type: ReportedType | None) -> Misgiving | None:
    """Keep what the ESP thinks where it matters: is it about this person or about the mail?"""
    mine = GROUP_OF[label]
    theirs = GROUP_OF[esp_label] if esp_label else None
    if mine is Group.RECIPIENT and theirs in _REFUSES_MAIL:
        return Misgiving(Doubt.POSSIBLE, f'the ESP files this under "{esp_words}", not under the recipient')
    if mine is Group.RECIPIENT and reported_type is ReportedType.BLOCK:
        return Misgiving(Doubt.POSSIBLE, "the ESP reports a block, not a missing recipient")
    if mine is Group.RECIPIENT or mine is Group.NONE:
        return None
    doubt = Doubt.LIKELY if mine in _REFUSES_MAIL else Doubt.POSSIBLE
    if theirs is Group.RECIPIENT:
        return Misgiving(doubt, f'the ESP files this under "{esp_words}", the answer says otherwise')
    if reported_type is ReportedType.HARD:
        return Misgiving(doubt, "the ESP reports a hard bounce, the answer does not speak against the recipient")
    return None
