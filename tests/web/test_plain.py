"""What is read as a plain post is what gunicorn reads, and whatever is out of the ordinary is left to gunicorn."""

from email.utils import parsedate_to_datetime

import pytest
from gunicorn.config import Config  # type: ignore[import-untyped]  # it ships no types
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]  # the same
from hypothesis import given
from hypothesis import strategies as st

from service.web.answers import Answer, refusal
from service.web.plain import PlainHead, read_plain_head, write_answer

_PLAIN = b"POST /webhooks/acme?token=a%20b HTTP/1.1\r\nHost: hopp.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"


def test_a_plain_head_is_read() -> None:
    assert read_plain_head(_PLAIN) == PlainHead(
        path="/webhooks/acme",
        query="token=a%20b",
        headers={"host": "hopp.example", "content-type": "application/json"},
        body_bytes=2,
        is_kept=True,
    )


@pytest.mark.parametrize("version", ["1.1", "1.0"])
@pytest.mark.parametrize(("written", "is_kept"), [("close", False), ("Close", False), ("keep-alive", True), ("Keep-Alive", True)])
def test_a_sender_says_whether_it_keeps_the_connection(version: str, written: str, is_kept: bool) -> None:  # noqa: FBT001 - named by the word beside it
    head = read_plain_head(_PLAIN.replace(b"1.1", version.encode())[:-2] + f"Connection: {written}\r\n\r\n".encode())
    assert head is not None
    assert (head.is_kept, "connection" in head.headers) == (is_kept, False)


def test_a_proxy_that_speaks_the_older_version_keeps_no_connection_unless_it_says_so() -> None:
    head = read_plain_head(_PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert head is not None
    assert not head.is_kept


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"GET"),
        (b"POST", b"post"),
        (b"HTTP/1.1", b"HTTP/1.2"),
        (b"HTTP/1.1", b"HTTP/2.0"),
        (b"HTTP/1.1", b"http/1.1"),
        (b"HTTP/1.1", b"HTTP/1.1 "),
        (b" /webhooks", b"  /webhooks"),
        (b"?token", b"?tok en"),
        (b"?token", b"#token"),
        (b"?token", b"?\xc3\xa4"),
        (b"?token", b"?" + b"x" * 4_100 + b"&token"),
        (b" /webhooks", b" http://hopp.example/webhooks"),
        (b"Host: hopp.example\r\n", b""),
        (b"Host:", b"Host :"),
        (b"Host:", b" Host:"),
        (b"Host:", b"X_Host:"),
        (b"Host:", b"Host: a\r\nhost:"),
        (b"Host:", b"Host"),
        (b"hopp.example", b"hopp.example\r\n folded"),
        (b"hopp.example", b"hopp\0.example"),
        (b"hopp.example", b"hopp\n.example"),
        (b"hopp.example", b"hopp\r.example"),
        (b"Content-Length: 2", b"Content-Length: +2"),
        (b"Content-Length: 2", b"Content-Length: 2, 2"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 2"),
        (b"Content-Length: 2", b"Content-Length: \xb2"),
        (b"Content-Length: 2", b"Content-Length: 1234567890"),
        (b"Content-Length: 2", b"X-Length: 2"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nTransfer-Encoding: chunked"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nContent-Encoding: gzip"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nExpect: 100-continue"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nConnection: upgrade"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nConnection: close\r\nConnection: close"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nUpgrade: h2c"),
        (b"Content-Length: 2", b"Content-Length: 2\r\nX-Long: " + b"x" * 9_000),
        (b"Content-Length: 2", b"Content-Length: 2" + b"".join(b"\r\nX-%d: x" % number for number in range(100))),
    ],
)
def test_what_is_out_of_the_ordinary_is_left_to_gunicorn(old: bytes, new: bytes) -> None:
    assert old in _PLAIN
    assert read_plain_head(_PLAIN.replace(old, new, 1)) is None


_PIECES = st.sampled_from(
    [
        *(b"POST", b"GET", b" ", b"/", b"/webhooks/acme", b"?a=b", b"%2e", b"HTTP/1.1", b"HTTP/1.0", b"\r\n", b"\n", b"\r", b":", b": "),
        *(b"Host", b"Content-Length", b"Transfer-Encoding", b"chunked", b"Connection", b"close", b"0", b"2", b"+", b",", b"\t", b"\0"),
        *(b"_", b"-", b"\x85", b"\xa0", b"\xff", b";", b"#", b"\x0b", b"x"),
    ]
)


@st.composite
def _heads(draw: st.DrawFn) -> bytes:
    """A plain head in which a few places are cut out or written over."""
    head = _PLAIN[:-4]
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(head)))
        end = min(start + draw(st.integers(0, 12)), len(head))
        head = head[:start] + b"".join(draw(st.lists(_PIECES, max_size=4))) + head[end:]
    return head + b"\r\n\r\n"


@given(_heads())
def test_gunicorn_reads_the_same_in_whatever_is_read_as_plain(head: bytes) -> None:
    plain = read_plain_head(head)
    if plain is None or b"\r\n\r\n" in head[:-4]:  # what is gathered ends at the first empty line
        return
    request = next(RequestParser(Config(), iter([head + b"x" * plain.body_bytes]), ("127.0.0.1", 1)))
    headers = {name.lower(): value for name, value in request.headers}
    length = headers.pop("content-length")
    headers.pop("connection", None)
    assert (request.method, request.path, request.query, request.version[0]) == ("POST", plain.path, plain.query, 1)
    assert {"content-type": "", **headers} == plain.headers
    assert (int(length), len(request.body.read())) == (plain.body_bytes, plain.body_bytes)
    assert request.should_close() is not plain.is_kept


def test_an_answer_is_written_with_what_a_sender_needs_to_read_it() -> None:
    written = write_answer(Answer(status=200, body='{"id":"ä"}\n', content_type="application/json"), is_kept=True)
    head, _, body = written.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    assert parsedate_to_datetime(headers.pop("Date")).tzinfo is not None
    assert (status, body.decode()) == ("HTTP/1.1 200 OK", '{"id":"ä"}\n')
    assert headers == {"Server": "gunicorn", "Connection": "keep-alive", "Content-Type": "application/json", "Content-Length": "12"}


def test_a_refusal_is_written_with_its_own_headers() -> None:
    written = write_answer(refusal(401, {"WWW-Authenticate": "Basic"}), is_kept=False).decode()
    assert written.startswith("HTTP/1.1 401 Unauthorized\r\n")
    assert "\r\nConnection: close\r\n" in written
    assert "\r\nWWW-Authenticate: Basic\r\n" in written
