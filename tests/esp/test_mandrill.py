"""What is Mandrill's own?"""

import json
from dataclasses import replace
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from service.esp.mandrill import ADAPTER
from service.esp_kit.adapter import Accepted, Handshake, Refused, SourceTrust, WebhookRequest
from service.esp_kit.jsontext import load_items
from service.esp_kit.sign_form import sign_url_and_form
from service.model.errors import UnreadableError
from tests.esp.cases import NOW, delivery_of, keys_of, one_case, request_of, signed

FORM = {"content-type": "application/x-www-form-urlencoded"}
URL = "https://hooks.example.com/webhooks/s"
TEST_KEY = "test-webhook"
KEYS = keys_of(ADAPTER)


def posted(events: str, key: str, url: str = URL) -> WebhookRequest:
    body = urlencode({"mandrill_events": events}).encode()
    return request_of(body, {**FORM, "x-mandrill-signature": sign_url_and_form(key, url, [("mandrill_events", events)])})


def test_url_is_signed_as_it_is_written_in_the_settings_there() -> None:
    """User and password belong to what is signed, and the web takes them out of the address it asks for."""
    written = "https://hopp:s3cret@hooks.example.com/webhooks/s?a=1"
    request = posted("[]", KEYS.private, written)
    assert isinstance(ADAPTER.verify(request, KEYS.trust, NOW), Refused)
    configured = replace(KEYS.trust, options={"public_url": (written,)})
    assert ADAPTER.verify(request, configured, NOW) == Accepted()
    assert ADAPTER.verify(signed(one_case(ADAPTER)), configured, NOW) == Accepted()


def test_array_out_of_its_form_is_read_but_proves_nothing() -> None:
    """A payload pasted from a log has lost its form; a post that Mandrill signs has not, and only that is signed without ambiguity."""
    event = {"event": "hard_bounce", "ts": 1767601800, "msg": {"email": "l.meyer@rhein-chemie.example", "_id": "1"}}
    body = json.dumps([event]).encode()
    assert [event.recipient for event in ADAPTER.parse(delivery_of(body, {})).events] == ["l.meyer@rhein-chemie.example"]
    for request in (request_of(body, {}), request_of(body, FORM)):
        assert isinstance(ADAPTER.verify(ADAPTER.signer.sign(request, KEYS, NOW), KEYS.trust, NOW), Refused)


def test_signature_for_another_address_is_refused() -> None:
    for url in (URL + "/", "http" + URL[5:], URL + "?a=1"):
        assert isinstance(ADAPTER.verify(posted("[]", KEYS.private, url), KEYS.trust, NOW), Refused)


def test_empty_batch_of_a_test_is_answered_and_not_kept() -> None:
    request = posted("[]", TEST_KEY)
    assert ADAPTER.verify(request, KEYS.trust, NOW) == Accepted()
    assert ADAPTER.handshake is not None
    assert ADAPTER.handshake(request, KEYS.trust) == Handshake()


def test_key_of_the_test_vouches_for_nothing_else() -> None:
    """It is public: whoever knows it could post events."""
    event = json.dumps([{"event": "hard_bounce", "msg": {"email": "a@example.com"}}])
    assert isinstance(ADAPTER.verify(posted(event, TEST_KEY), KEYS.trust, NOW), Refused)
    assert isinstance(ADAPTER.verify(posted("[]", TEST_KEY), SourceTrust(secrets=()), NOW), Refused)
    doubled = replace(posted("[]", TEST_KEY), body=b"mandrill_events=%5B%5D&" + urlencode({"mandrill_events": event}).encode())
    assert isinstance(ADAPTER.verify(doubled, KEYS.trust, NOW), Refused)


def test_only_an_empty_batch_is_a_handshake() -> None:
    assert ADAPTER.handshake is not None
    assert ADAPTER.handshake(signed(one_case(ADAPTER)), KEYS.trust) is None
    assert ADAPTER.handshake(replace(posted("[]", TEST_KEY), method="HEAD"), KEYS.trust) is None
    assert ADAPTER.handshake(request_of(b"a=1&" * 2_000, FORM), KEYS.trust) is None
    assert ADAPTER.handshake(request_of(b"", {"content-type": "multipart/form-data"}), KEYS.trust) is None


def test_address_may_be_asked_for_by_head() -> None:
    assert "HEAD" in ADAPTER.methods


def test_form_with_too_many_fields_is_refused() -> None:
    assert isinstance(ADAPTER.verify(request_of(b"a=1&" * 2_000, FORM), KEYS.trust, NOW), Refused)


def test_two_clicks_in_one_second_are_two_events() -> None:
    events = [{"event": "click", "_id": "m1", "ts": 1767601800, "url": f"https://www.example.com/{page}", "msg": {}} for page in "ab"]
    parsed = ADAPTER.parse(delivery_of(urlencode({"mandrill_events": json.dumps(events)}).encode(), FORM))
    assert len({event.identity for event in parsed.events}) == 2


_garbage = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["email", "diag", "smtp_events", "reason", "x"]), inner),
    max_leaves=6,
)
_FIELDS = ("event", "type", "action", "ts", "_id", "msg", "reject", "entry", "url")


@given(st.lists(st.dictionaries(st.sampled_from(_FIELDS), _garbage | st.sampled_from(["hard_bounce", "blacklist", "add"])), max_size=3))
def test_garbage_inside_the_form_never_raises(events: list[dict[str, object]]) -> None:
    """The payloads of the other tests cannot be spoilt in here: their JSON lies in a field of a form."""
    written = json.dumps(events)
    try:
        load_items(written.encode())
    except UnreadableError:
        return
    parsed = ADAPTER.parse(delivery_of(urlencode({"mandrill_events": written}).encode(), FORM))
    assert all(event.identity for event in parsed.events)
