"""Does POST /api/v1/classify say of a reply what the classifier says?"""

import gzip
from typing import Any

import orjson
import pytest

from service.model.words import Role
from service.schemas.classify import (
    CLASSIFICATION_EXAMPLE,
    REPLY_EXAMPLE,
    ClassificationSchema,
    ExplanationSchema,
    MatchSchema,
    ReplySchema,
)
from tests.web.worlds import MakeWorld, World

UNKNOWN_USER = {"text": "550 5.1.1 <jo@example.com> User unknown"}


def _post(world: World, body: object, *, raw: bytes | None = None, encoding: str = "identity") -> Any:  # noqa: ANN401 - werkzeug's test response
    headers = {"Authorization": f"Bearer {world.tokens[Role.READER]}", "Content-Encoding": encoding}
    return world.client.post("/api/v1/classify", data=orjson.dumps(body) if raw is None else raw, headers=headers)


def _errors(answer: Any) -> list[str]:  # noqa: ANN401 - werkzeug's test response
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    return [error["field"] for error in answer.get_json()["errors"]]


def test_one_reply_gets_one_answer(world: World) -> None:
    answer = _post(world, UNKNOWN_USER)
    said = answer.get_json()
    assert (answer.status_code, said["label"], said["group"], said["doubt"]) == (200, "invalid_recipient", "recipient", "none")
    assert said["rules_version"]
    assert said["explanation"] is None


def test_a_list_gets_its_answers_in_its_order(world: World) -> None:
    said = _post(world, [UNKNOWN_USER, {"text": "452 4.2.2 Mailbox full"}, {"text": ""}]).get_json()
    assert [item["label"] for item in said] == ["invalid_recipient", "mailbox_full", "undetermined"]
    assert _post(world, []).get_json() == []


def test_every_field_of_a_reply_is_heard(world: World) -> None:
    refused_early = _post(world, {**UNKNOWN_USER, "stage": "connect"}).get_json()
    doubted = _post(world, {**UNKNOWN_USER, "esp_class": "Reputation", "reported_type": "hard"}).get_json()
    by_code = _post(world, {"text": "", "smtp_code": 552, "enhanced_status_code": "5.2.2", "remote_host": None}).get_json()
    assert (refused_early["group"], doubted["doubt"], by_code["label"]) == ("block", "possible", "mailbox_full")


def test_the_names_that_events_have_are_taken_too(world: World) -> None:
    said = _post(world, {"diagnostic": UNKNOWN_USER["text"], "smtp_stage": "connect"}).get_json()
    assert said == _post(world, {**UNKNOWN_USER, "stage": "connect"}).get_json()


def test_an_explanation_names_every_rule_and_the_winner(world: World) -> None:
    said = _post(world, {**UNKNOWN_USER, "explain": True}).get_json()
    standings = {match["rule"]: match["standing"] for match in said["explanation"]["matches"]}
    assert standings[said["rule"]] == "wins"
    assert len(standings) > 1
    assert said["rule"] in said["explanation"]["why"]
    assert "jo@example.com" not in orjson.dumps(said).decode()


def test_own_rules_are_consulted_first(make_world: MakeWorld, tmp_path: Any) -> None:  # noqa: ANN401 - a path
    path = tmp_path / "mine.toml"
    path.write_text(
        "[[rule]]\nid = 'acme.unknown'\npattern = 'user unknown'\nlabel = 'policy_block'\nsource = 'us'\nexamples = ['550 User unknown']\n"
    )
    said = _post(make_world(own_rules=path), UNKNOWN_USER).get_json()
    assert (said["rule"], said["label"]) == ("acme.unknown", "policy_block")
    assert said["rules_version"] != _post(make_world(), UNKNOWN_USER).get_json()["rules_version"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["text"]),
        ("a text", ["body"]),
        (None, ["body"]),
        ({"text": 7}, ["text"]),
        ({"text": None}, ["text"]),
        ({"text": "x", "smtp_code": 99, "stage": "nowhere", "explain": "perhaps"}, ["smtp_code", "stage", "explain"]),
        ({"text": "x", "enhanced_status_code": "5.1"}, ["enhanced_status_code"]),
        ({"text": "x", "jo@example.com": 1}, ["***@example.com"]),
        ({"text": "x", "txt": "y"}, ["txt"]),
        ([{"text": "x", "txt": "y"}], ["[0].txt"]),
        ([{"text": "x"}, {"smtp_code": 1e300, "text": ""}, 5], ["[1].smtp_code", "[2]"]),
        ([{"text": "x"}] * 1_001, ["body"]),
        ([{}] * 1_000, [f"[{number}].text" for number in range(20)]),
    ],
)
def test_what_is_wrong_is_named(world: World, body: object, fields: list[str]) -> None:
    answer = _post(world, body)
    assert _errors(answer) == fields
    assert all(error["mend"] for error in answer.get_json()["errors"])
    assert not [word for word in ("Missing data", "Not a valid", "expected pattern", "Must be") if word in answer.text]
    assert "jo@" not in answer.text


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"text": "\xff"}', b'{"text": "\\ud800"}', b"[" * 100_000, b"NaN"])
def test_what_is_no_json_is_a_400(world: World, raw: bytes) -> None:
    assert _post(world, None, raw=raw).status_code == 400


def test_a_body_is_inflated_within_the_limit(make_world: MakeWorld) -> None:
    world = make_world(body_limit_bytes=2_000)
    assert _post(world, None, raw=gzip.compress(orjson.dumps(UNKNOWN_USER)), encoding="gzip").get_json()["label"] == "invalid_recipient"
    assert _post(world, None, raw=gzip.compress(b" " * 100_000), encoding="gzip").status_code == 413
    assert _post(world, None, raw=b"x" * 3_000).status_code == 413
    assert _post(world, UNKNOWN_USER, encoding="gzip").status_code == 400
    assert _post(world, UNKNOWN_USER, encoding="br").status_code == 415


@pytest.mark.parametrize("text", ["", "\x00", "7" * 1_000_000, "https://example.com", "\u2028\u0000<@>", "550 " * 100_000])
def test_any_text_gets_a_label(world: World, text: str) -> None:
    assert _post(world, {"text": text, "explain": True}).get_json()["label"]


def test_it_takes_posts_only(world: World) -> None:
    assert world.ask("/api/v1/classify").status_code == 405


def test_the_examples_have_the_fields_of_their_schemas(world: World) -> None:
    assert list(CLASSIFICATION_EXAMPLE) == list(ClassificationSchema().fields)
    assert list(CLASSIFICATION_EXAMPLE["explanation"]) == list(ExplanationSchema().fields)
    assert list(CLASSIFICATION_EXAMPLE["explanation"]["matches"][0]) == list(MatchSchema().fields)
    assert ReplySchema().validate(REPLY_EXAMPLE) == {}


def test_the_page_shows_what_it_takes(world: World) -> None:
    page = world.client.get("/docs").text
    section = page[page.index('id="post-api-v1-classify"') :]
    assert "enhanced_status_code" in section[: section.index("</section>")]
