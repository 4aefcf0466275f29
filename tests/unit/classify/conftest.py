"""Which classifier do the tests ask?"""

from importlib.resources import files

import pytest

from service.classify.engine import Classifier
from service.classify.gateways import GatewayTable
from service.classify.rulebook import RuleSet
from service.classify.rules import load_rules


@pytest.fixture(scope="session")
def rule_files() -> dict[str, str]:
    folder = files("service.classify").joinpath("rules")
    return {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml")}


@pytest.fixture(scope="session")
def ruleset(rule_files: dict[str, str]) -> RuleSet:
    return load_rules(rule_files)


@pytest.fixture(scope="session")
def gateways() -> GatewayTable:
    return GatewayTable.load(files("service.classify").joinpath("data/gateways.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def classifier(ruleset: RuleSet, gateways: GatewayTable) -> Classifier:
    return Classifier(ruleset, gateways)


@pytest.fixture(scope="session")
def second_classifier(ruleset: RuleSet, gateways: GatewayTable) -> Classifier:
    return Classifier(ruleset, gateways)


@pytest.fixture(scope="session")
def consumer_domains() -> str:
    return files("service.classify").joinpath("data/consumer_domains.txt").read_text(encoding="utf-8")
