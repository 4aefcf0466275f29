"""Is the ESP's own reading kept beside the answer's?"""

import pytest

from service.classify.engine import Classifier
from service.classify.reply import Reply
from service.classify.witness import label_by_esp
from service.model.words import Doubt, Label, ReportedType

_UNKNOWN_USER = "550 5.1.1 User unknown"
_BLOCKED = "554 5.7.1 Your IP is on a blacklist"


def test_reputation_beside_an_unknown_user_raises_doubt(classifier: Classifier) -> None:
    """SendGrid sends `type: bounce` with `bounce_classification: Reputation` for such false hard bounces."""
    found = classifier.classify(Reply(text=_UNKNOWN_USER, esp_class="bounce", esp_subclass="Reputation"))
    assert (found.label, found.doubt) == (Label.INVALID_RECIPIENT, Doubt.POSSIBLE)
    assert found.doubt_reason == 'the ESP files this under "bounce / Reputation", not under the recipient'


def test_hard_bounce_with_a_block_in_its_answer_keeps_both_readings(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text=_BLOCKED, reported_type=ReportedType.HARD))
    assert (found.label, found.doubt) == (Label.REPUTATION_BLOCK, Doubt.LIKELY)


def test_full_mailbox_reported_as_hard_raises_doubt(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text="552 5.2.2 Mailbox full", reported_type=ReportedType.HARD))
    assert (found.label, found.doubt) == (Label.MAILBOX_FULL, Doubt.POSSIBLE)


def test_invalid_address_beside_a_block_raises_doubt(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text=_BLOCKED, esp_subclass="Invalid Address"))
    assert (found.doubt, found.doubt_reason) == (Doubt.LIKELY, 'the ESP files this under "Invalid Address", the answer says otherwise')


def test_reported_block_beside_an_unknown_user_raises_doubt(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text=_UNKNOWN_USER, reported_type=ReportedType.BLOCK))
    assert found.doubt_reason == "the ESP reports a block, not a missing recipient"


def test_reasons_for_doubt_add_up(classifier: Classifier) -> None:
    text = "550 5.4.1 Recipient address rejected: Access denied"
    found = classifier.classify(Reply(text=text, reported_type=ReportedType.BLOCK))
    assert found.doubt is Doubt.LIKELY
    assert found.doubt_reason is not None
    assert found.doubt_reason.count("; ") == 2  # one in the rule's own reason


@pytest.mark.parametrize("reported_type", [None, ReportedType.HARD, ReportedType.SOFT, ReportedType.UNDETERMINED])
def test_agreement_raises_no_doubt(classifier: Classifier, reported_type: ReportedType | None) -> None:
    reply = Reply(text=_UNKNOWN_USER, esp_class="HardBounce", esp_subclass="NoEmail", reported_type=reported_type)
    assert classifier.classify(reply).doubt is Doubt.NONE


def test_own_list_of_the_esp_is_no_doubtful_hard_bounce(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text="Address is on the suppression list", reported_type=ReportedType.HARD))
    assert (found.label, found.doubt) == (Label.SUPPRESSED, Doubt.NONE)


def test_esp_decides_where_the_answer_says_nothing(classifier: Classifier) -> None:
    found = classifier.classify(Reply(text="", esp_class="Transient", esp_subclass="MailboxFull"))
    assert (found.label, found.group, found.rule) == (Label.MAILBOX_FULL, "capacity", "esp.class")


def test_class_that_says_only_soft_decides_nothing(classifier: Classifier) -> None:
    assert classifier.classify(Reply(text="", esp_class="Transient", esp_subclass="General")).label is Label.UNDETERMINED


_CLASSES = {
    "SendGrid": ("bounce", "Frequency or Volume Too High", Label.RATE_LIMITED),
    "SendGrid blocked": ("blocked", None, Label.POLICY_BLOCK),
    "SES": ("Transient", "ContentRejected", Label.CONTENT_BLOCK),
    "SES list": ("Permanent", "OnAccountSuppressionList", Label.SUPPRESSED),
    "Postmark": ("Blocked", None, Label.POLICY_BLOCK),
    "Postmark DMARC": ("DMARCPolicy", None, Label.AUTH_FAILURE),
    "SparkPost mail block": ("50", None, Label.POLICY_BLOCK),
    "SparkPost spam block": ("51", None, Label.REPUTATION_BLOCK),
    "SparkPost content": ("52", None, Label.CONTENT_BLOCK),
    "SparkPost attachment": ("53", None, Label.CONTENT_BLOCK),
    "SparkPost relaying": ("54", None, Label.POLICY_BLOCK),
    "KumoMTA": ("InvalidRecipient", None, Label.INVALID_RECIPIENT),
    "PowerMTA": ("bad-mailbox", None, Label.INVALID_RECIPIENT),
    "Unisender Go": ("err_user_inactive", None, Label.INACTIVE_MAILBOX),
    "Mailjet": ("spam", "sender blocked", Label.REPUTATION_BLOCK),
    "unknown": ("whatever", "else", None),
    "nothing": (None, None, None),
}


@pytest.mark.parametrize(("esp_class", "esp_subclass", "label"), _CLASSES.values(), ids=_CLASSES)
def test_classes_of_the_esps_are_known(esp_class: str | None, esp_subclass: str | None, label: Label | None) -> None:
    assert label_by_esp(esp_class, esp_subclass) is label
