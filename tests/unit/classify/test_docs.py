"""Do the pages on labels and own rules tell the truth?"""

import tomllib
from pathlib import Path

import pytest

from service.classify.engine import Classifier
from service.classify.groups import GROUP_OF, usual_persistence
from service.classify.reply import Reply
from service.classify.rulebook import RULE_KEYS
from service.classify.rules import load_rules
from service.model.words import Doubt, Label, SmtpStage

_DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def own_rules() -> str:
    page = (_DOCS / "own-rules.md").read_text(encoding="utf-8")
    return page.partition("<!-- example -->\n```toml\n")[2].partition("```")[0]


def test_example_of_own_rules_goes_before_the_shipped_ones(rule_files: dict[str, str], own_rules: str) -> None:
    classifier = Classifier(load_rules(rule_files, own={"mine.toml": own_rules}))
    found = classifier.classify(Reply(text="550 5.1.1 <jo@example.com> User unknown: badge required"))
    assert (found.rule, found.label, found.doubt, found.vendor) == ("acme.badge", Label.POLICY_BLOCK, Doubt.LIKELY, "acme")


def test_example_rule_for_a_vendor_waits_for_its_fingerprint(rule_files: dict[str, str], own_rules: str) -> None:
    classifier = Classifier(load_rules(rule_files, own={"mine.toml": own_rules}))
    texts = ("451 4.3.2 Gone for lunch, acme-mailguard/7", "451 4.3.2 Gone for lunch")
    rules = [classifier.classify(Reply(text=text, stage=SmtpStage.RCPT)).rule for text in texts]
    assert rules == ["acme.lunch", "code.loop-or-system"]


def test_every_key_of_a_rule_is_explained(own_rules: str) -> None:
    page = (_DOCS / "own-rules.md").read_text(encoding="utf-8")
    assert [key for key in RULE_KEYS if f"`{key}`" not in page] == []
    assert tomllib.loads(own_rules)


@pytest.mark.parametrize("label", Label)
def test_every_label_is_explained_with_its_group(label: Label) -> None:
    page = (_DOCS / "labels.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{label}` |"))
    persistence = row.rstrip(" |").rpartition("| ")[2]
    assert f"| {GROUP_OF[label]} |" in row
    assert persistence in ("by the code", usual_persistence(label, "5"))
