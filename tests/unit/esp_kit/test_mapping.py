"""Does a mapping file become an adapter that reads and verifies as it says, and is a wrong one refused with its place?"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.esp_kit.adapter import Accepted, Adapter, Answers, Refused, WebhookRequest
from service.esp_kit.mapping import load_mapping
from service.model.errors import UnreadableError
from service.model.events import Delivery, Event, Parsed
from service.model.words import EventKind, Phase, ReportedType, SmtpStage

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CHANCE = bytes(range(32))
FILE = """
name = "relay"
events = "batch[]"
[fields]
esp_event_type = "what"
esp_class = "class"
esp_subclass = "sub"
recipient = ["rcpt[]", "to"]
occurred_at = "at"
esp_event_id = "id"
message_id = ["mail.id", "^.mail"]
diagnostic = "smtp.said"
smtp_code = "smtp.code"
enhanced_status_code = "smtp.enhanced"
smtp_stage = "smtp.stage"
remote_host = "smtp.peer"
remote_ip = "smtp.ip"
sending_ip = "$.ip"
campaign = "$.campaign"
tags = "tags"
metadata = "custom"
subject = "mail.subject"
[kinds]
ok = "delivered"
bounce = { kind = "bounced", reported_type = "undetermined" }
"bounce/user" = { kind = "bounced", reported_type = "hard", phase = "async" }
"bounce/listed/a/b" = { kind = "rejected", suppressed_by_esp = true }
note = "other"
"""


def mapped(extra: str = "", **changes: str) -> Adapter:
    text = FILE
    for old, new in changes.items():
        assert f"\n{old} = " in text
        text = "\n".join(new if line.startswith(f"{old} = ") else line for line in text.splitlines())
    return load_mapping(f"{text}\n{extra}", "relay.toml")


def parse(adapter: Adapter, body: object, content_type: str = "") -> Parsed:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return adapter.parse(Delivery(id="0" * 32, source="s", received_at=NOW, body=raw, content_type=content_type))


def only(adapter: Adapter, item: dict[str, Any], **around: object) -> Event:
    (event,) = parse(adapter, {**around, "batch": [{"what": "ok", **item}]}).events
    return event


def test_every_field_is_read_from_its_path() -> None:
    item = {
        "what": "bounce",
        "class": "user",
        "sub": "mailbox",
        "to": "Anna@Nordwerk.example",
        "at": 1767600123,
        "id": 71,
        "mail": {"id": "<m1@relay.example>", "subject": "Hello"},
        "smtp": {"said": "no", "code": "550", "enhanced": "5.1.1", "stage": "RCPT TO", "peer": "mx.nordwerk.example", "ip": "192.0.2.1"},
        "tags": ["a", "b"],
        "custom": {"order": 7},
    }
    found = only(mapped(), item, ip="192.0.2.9", campaign="spring")
    assert found == Event(
        kind=EventKind.BOUNCED,
        esp="relay",
        recipient="anna@nordwerk.example",
        occurred_at=datetime(2026, 1, 5, 8, 2, 3, tzinfo=UTC),
        message_id="m1@relay.example",
        esp_event_id="71",
        esp_event_type="bounce",
        reported_type=ReportedType.HARD,
        esp_class="user",
        esp_subclass="mailbox",
        smtp_code=550,
        enhanced_status_code="5.1.1",
        diagnostic="no",
        smtp_stage=SmtpStage.RCPT,
        remote_host="mx.nordwerk.example",
        remote_ip="192.0.2.1",
        sending_ip="192.0.2.9",
        campaign="spring",
        tags=("a", "b"),
        metadata={"order": "7"},
        subject="Hello",
        phase=Phase.ASYNC,
        identity=("id", "71"),
    )


def test_the_first_path_that_holds_something_counts() -> None:
    assert only(mapped(), {}, mail="<around@relay.example>").message_id == "around@relay.example"
    assert only(mapped(), {"mail": {"id": "own"}}, mail="around").message_id == "own"


def test_codes_are_read_from_the_words_where_no_field_tells_them() -> None:
    event = only(mapped(), {"what": "bounce", "smtp": {"said": "550 5.1.1 no such user"}})
    assert (event.smtp_code, event.enhanced_status_code) == (550, "5.1.1")


def test_several_recipients_are_several_events() -> None:
    parsed = parse(mapped(), {"batch": [{"what": "ok", "rcpt": ["a@x.example", "b@x.example", "A@x.example", 3]}]})
    assert [event.recipient for event in parsed.events] == ["a@x.example", "b@x.example"]
    assert only(mapped(), {"rcpt": [None]}).recipient is None


@pytest.mark.parametrize(
    ("words", "kind", "reported"),
    [
        ({"what": "bounce"}, EventKind.BOUNCED, ReportedType.UNDETERMINED),
        ({"what": "bounce", "class": "new"}, EventKind.BOUNCED, ReportedType.UNDETERMINED),
        ({"what": "bounce", "class": "user", "sub": "new"}, EventKind.BOUNCED, ReportedType.HARD),
        ({"what": "bounce", "class": "listed", "sub": "a/b"}, EventKind.REJECTED, None),
        ({"what": "bounce", "class": "listed"}, EventKind.BOUNCED, ReportedType.UNDETERMINED),
        ({"what": "note", "class": "x"}, EventKind.OTHER, None),
    ],
)
def test_the_most_specific_entry_says_the_kind(words: dict[str, str], kind: EventKind, reported: ReportedType | None) -> None:
    parsed = parse(mapped(), {"batch": [words]})
    assert [(event.kind, event.reported_type) for event in parsed.events] == [(kind, reported)]
    assert parsed.unknown_kinds == ()


def test_what_was_never_tried_is_local() -> None:
    event = only(mapped(), {"what": "bounce", "class": "listed", "sub": "a/b"})
    assert (event.phase, event.suppressed_by_esp) == (Phase.LOCAL, True)


def test_a_word_that_is_not_in_the_table_is_reported() -> None:
    parsed = parse(mapped(), {"batch": [{"what": "teleported", "class": "x"}]})
    assert ([event.kind for event in parsed.events], parsed.unknown_kinds) == ([EventKind.OTHER], ("teleported/x",))


def test_one_bad_event_costs_only_itself() -> None:
    parsed = parse(mapped(), {"batch": [{"what": "ok"}, {}, 7, {"what": "ok", "id": 2}]})
    assert (len(parsed.events), len(parsed.problems)) == (2, 2)
    assert parsed.problems[0].fragment == "{}"


def test_a_body_without_events_holds_none() -> None:
    assert parse(mapped(), {"batch": []}) == parse(mapped(), {"other": 1}) == Parsed()
    with pytest.raises(UnreadableError):
        parse(mapped(), b"{")


@pytest.mark.parametrize(
    ("format_line", "body", "content_type"),
    [
        ('format = "json"', b'[{"what":"ok"},{"what":"ok","id":"2"}]', ""),
        ('format = "lines"', b'{"what":"ok"}\n\n{"what":"ok","id":"2"}\n', ""),
        ('format = "form"', b"what=ok", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_may_be_an_array_lines_or_a_form(format_line: str, body: bytes, content_type: str) -> None:
    parsed = parse(mapped(events=format_line), body, content_type)
    assert {event.kind for event in parsed.events} == {EventKind.DELIVERED}
    assert len(parsed.events) == (1 if "form" in format_line.split()[2] else 2)


def test_the_same_event_is_the_same_whatever_comes_with_it() -> None:
    by_id = [only(mapped(), {"id": 1, "at": at}).identity for at in (1767600123, 1767600999)]
    by_content = [only(mapped(), {"at": at}).identity for at in (1767600123, 1767600123, 1767600999)]
    by_choice = [
        only(mapped("\n[answers]\nrefused = 403\n", name='name = "relay"\nidentity = ["mail.id", "at"]'), {"at": 1, "id": id_}).identity
        for id_ in "ab"
    ]
    assert by_id[0] == by_id[1]
    assert by_content[0] == by_content[1] != by_content[2]
    assert by_choice[0] == by_choice[1] == ("[]", "[1]")


SIGNATURES = {
    "hex": 'scheme = "hmac"\nheader = "X-Relay"',
    "prefixed": 'scheme = "hmac"\nheader = "X-Relay"\nprefix = "sha256="',
    "base64": 'scheme = "hmac"\nheader = "X-Relay"\nencoding = "base64"\ndigest = "sha512"',
    "sha1": 'scheme = "hmac"\nheader = "X-Relay"\ndigest = "sha1"',
    "timestamped": 'scheme = "timestamped"\nheader = "X-Relay"',
    "standard": 'scheme = "standard_webhooks"',
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_signed_post_is_believed_and_a_changed_one_refused(signature: str) -> None:
    adapter = mapped(f"[signature]\n{signature}")
    keys = adapter.signer.make_keys(CHANCE)
    request = adapter.signer.sign(WebhookRequest(method="POST", url="", headers={}, query="", body=b'{"batch":[]}'), keys, NOW)
    other = replace(keys.trust, secrets=(adapter.signer.make_keys(CHANCE[::-1]).private,))
    assert adapter.verify(request, keys.trust, NOW) == Accepted()
    assert adapter.verify(request, replace(other, secrets=(*other.secrets, keys.private)), NOW) == Accepted()
    for refused in (
        adapter.verify(replace(request, body=b'{"batch":[1]}'), keys.trust, NOW),
        adapter.verify(request, other, NOW),
        adapter.verify(request, replace(keys.trust, secrets=()), NOW),
        adapter.verify(replace(request, headers={}), keys.trust, NOW),
    ):
        assert isinstance(refused, Refused)
    assert (adapter.capabilities.signature, adapter.schemes[0]) == ("body", "signature")


@pytest.mark.parametrize(("name", "window"), [("hex", None), ("timestamped", 5 / 60), ("standard", 5 / 60)])
def test_an_old_post_is_refused_where_its_time_is_signed(name: str, window: float | None) -> None:
    adapter = mapped(f"[signature]\n{SIGNATURES[name]}")
    keys = adapter.signer.make_keys(CHANCE)
    request = WebhookRequest(method="POST", url="", headers={}, query="", body=b"{}")
    old = adapter.verify(adapter.signer.sign(request, keys, NOW - timedelta(minutes=6)), keys.trust, NOW)
    assert adapter.replay_window_hours == window
    assert isinstance(old, Refused) is (window is not None)


def test_without_a_signature_a_static_secret_has_to_stand_in() -> None:
    adapter = mapped()
    keys = adapter.signer.make_keys(CHANCE)
    request = adapter.signer.sign(WebhookRequest(method="POST", url="", headers={}, query="", body=b"{}"), keys, NOW)
    assert adapter.verify(request, keys.trust, NOW) == Accepted()
    assert isinstance(adapter.verify(request, replace(keys.trust, auth=None), NOW), Refused)
    assert (adapter.schemes, adapter.replay_window_hours) == (("basic", "header", "token"), None)


def test_capabilities_answers_and_guide_follow_from_the_file() -> None:
    adapter = mapped("[answers]\nrefused = 403\nunavailable = 429\n", name='name = "relay"\nguide = "Ask Bea."\ntitle = "Relay"')
    told = adapter.capabilities
    assert (told.delivered_events, told.smtp_text, told.remote_host, told.sending_ip, told.engagement) == (True, True, True, True, False)
    assert (adapter.answers, adapter.guide, adapter.title) == (Answers(refused=403, unavailable=429), "Ask Bea.", "Relay")
    assert "relay.toml" in mapped().guide


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["what", "class", "rcpt", "to", "at", "mail", "id", "smtp", "said"]), inner)
    ),
    max_leaves=15,
)


@settings(max_examples=200)
@given(
    st.fixed_dictionaries({"batch": st.lists(GARBAGE | st.fixed_dictionaries({"what": GARBAGE, "rcpt": GARBAGE, "smtp": GARBAGE}))})
    | GARBAGE
)
def test_garbage_in_any_field_never_raises(body: object) -> None:
    for adapter in (mapped(), mapped(events='format = "json"')):
        try:
            parsed = parse(adapter, body)
        except UnreadableError:
            continue
        assert all(event.identity for event in parsed.events)
