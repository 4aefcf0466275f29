"""Does nothing that anybody can post make an adapter raise, or leave a value that cannot be kept?"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.cli.samples.load import Sample
from service.esp import adapters
from service.esp_kit.adapter import Accepted, Adapter, NeedsCertificate, Refused
from service.esp_kit.reading import MAX_EVENTS
from service.model.errors import UnreadableError
from tests.esp.cases import ADAPTERS, CASES, NOW, delivery_of, keys_of, one_case, request_of, signed
from tests.esp.soundness import check_sound

GARBAGE: tuple[object, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "\0", "\ud800", "5" * 5_000, "<a@b>"),
    *([], {}, [[]], [None], {"a": {"b": []}}),
)
MONSTERS = {
    "empty": b"",
    "blank": b" \r\n\t",
    "null": b"null",
    "number": b"7",
    "text": b'"text"',
    "truncated": b'[{"event":"bounce","email":"a@exam',
    "deep array": b"[" * 100_000,
    "closed deep array": b"[" * 10_000 + b"]" * 10_000,
    "deep object": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "as deep as is read, with NUL": b'[{"event":' + b"[" * 900 + b'"\\u0000"' + b"]" * 900 + b"}]",
    "huge number": b"[1e400]",
    "long number": b"[" + b"9" * 50_000 + b"]",
    "not a number": b"[NaN, Infinity]",
    "NUL": b'[{"event":"\0","email":"a\0@example.com"}]',
    "lone surrogate": b'[{"event":"\\ud800"}]',
    "broken UTF-8": b'[{"event":"\xff\xfe"}]',
    "UTF-16": '[{"event":"bounce"}]'.encode("utf-16"),
    "10 MB of text": b'[{"event":"' + b"a" * 10_000_000 + b'"}]',
    "10 MB of brackets": b"[" * 10_000_000,
    "more items than are read": b"[" + b"{}," * MAX_EVENTS + b"{}]",
    "many form fields": b"a=1&" * 100_000,
    "many multipart fields": b'--a\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n' * 10_000,
    "endless part header": b"--a\r\n" + b"content-disposition: ;" * 100_000,
    "binary": bytes(range(256)) * 100,
}
CONTENT_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "")
HEADER_NAMES = ["authorization", "content-type", "x-secret"]
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def by_name(adapter: Adapter) -> str:
    return adapter.name


def cases_of(adapter: Adapter) -> st.SearchStrategy[Sample]:
    return st.sampled_from([case for case in CASES if case.esp == adapter.name])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_garbage_in_any_field_never_raises(case: Sample) -> None:
    for body in _mutations(case.body):
        _survives(adapters()[case.esp], body, case.headers)


@pytest.mark.parametrize("monster", MONSTERS.values(), ids=MONSTERS.keys())
@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_monstrous_body_never_raises(adapter: Adapter, monster: bytes) -> None:
    for content_type in CONTENT_TYPES:
        _survives(adapter, monster, {"content-type": content_type})


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=300), content_type=st.sampled_from(CONTENT_TYPES))
def test_any_bytes_never_raise(adapter: Adapter, body: bytes, content_type: str) -> None:
    _survives(adapter, body, {"content-type": content_type})


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_json_in_the_place_of_any_value_never_raises(adapter: Adapter, data: st.DataObject) -> None:
    case = data.draw(cases_of(adapter))
    payload = _payload(case.body)
    path = data.draw(st.sampled_from(list(_paths(payload))))
    _survives(adapter, json.dumps(_put(payload, path, data.draw(_json))).encode(), case.headers)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_body_cut_or_spoilt_anywhere_never_raises(adapter: Adapter, data: st.DataObject) -> None:
    case = data.draw(cases_of(adapter))
    at = data.draw(st.integers(0, len(case.body)))
    _survives(adapter, case.body[:at], case.headers)
    _survives(adapter, case.body[:at] + data.draw(st.binary(max_size=4)) + case.body[at + 1 :], case.headers)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=by_name)
def test_spoilt_headers_and_queries_never_raise(adapter: Adapter) -> None:
    request, trust = signed(one_case(adapter)), keys_of(adapter).trust

    @settings(max_examples=60, deadline=None)
    @given(
        headers=st.dictionaries(st.sampled_from([*HEADER_NAMES, *request.headers]), st.text(st.characters(), max_size=60)), query=st.text()
    )
    def verify(headers: dict[str, str], query: str) -> None:
        spoilt = replace(request, headers={**request.headers, **headers}, query=query)
        for auth in (trust.auth, "basic", "token", "header:x-secret", "header:", "none", "nonsense"):
            adapter.verify(spoilt, replace(trust, auth=auth, secrets=(*trust.secrets, "s3cret")), NOW)

    verify()


def _survives(adapter: Adapter, body: bytes, headers: Mapping[str, str]) -> None:
    result = adapter.verify(request_of(body, headers), keys_of(adapter).trust, NOW)
    assert isinstance(result, Accepted | Refused | NeedsCertificate)
    try:
        parsed = adapter.parse(delivery_of(body, headers))
    except UnreadableError:
        return
    check_sound(parsed)


def _mutations(body: bytes) -> Iterator[bytes]:
    """The payload with each of its values replaced by each kind of garbage; JSON inside a string is opened too."""
    payload = _payload(body)
    for path in _paths(payload):
        for garbage in GARBAGE:
            yield json.dumps(_put(payload, path, garbage)).encode()


def _payload(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, str) and value.startswith("{"):
        yield from _paths(json.loads(value), (*path, "\0inside"))
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in members:
        yield from _paths(inner, (*path, key))


def _put(value: object, path: tuple[str | int, ...], garbage: object) -> object:
    if not path:
        return garbage
    key, rest = path[0], path[1:]
    if key == "\0inside" and isinstance(value, str):
        return json.dumps(_put(json.loads(value), rest, garbage))
    if isinstance(value, dict):
        return {name: _put(inner, rest, garbage) if name == key else inner for name, inner in value.items()}
    if isinstance(value, list):
        return [_put(inner, rest, garbage) if index == key else inner for index, inner in enumerate(value)]
    return value
