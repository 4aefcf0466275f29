"""Is every body read as its sender means it, and none past the limit?"""

import gzip
import io
import zlib
from typing import Any

import pytest

from tests.web.worlds import SECRET, MakeWorld, World

GOOD = f"/webhooks/pm?token={SECRET}"


LIMIT = 10_000


@pytest.fixture
def tight(make_world: MakeWorld) -> World:
    """A world that takes small bodies only."""
    return make_world(body_limit_bytes=LIMIT)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"plain", mtime=0)),
        ("x-gzip", gzip.compress(b"plain", mtime=0)),
        ("GZIP ", gzip.compress(b"plain", mtime=0)),
        ("deflate", zlib.compress(b"plain")),
        ("deflate", zlib.compress(b"plain", wbits=-15)),
        ("identity", b"plain"),
    ],
)
def test_a_compressed_body_is_kept_plain(world: World, encoding: str, body: bytes) -> None:
    answer = world.client.post(GOOD, data=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, world.kept()[0].body) == (200, b"plain")


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"not gzip", 400),
        ("gzip", gzip.compress(b"plain", mtime=0)[:-4], 400),
        ("gzip", gzip.compress(b"a", mtime=0) + gzip.compress(b"b", mtime=0), 400),
        ("gzip", b"", 400),
        ("deflate", b"\xff\xff", 400),
        ("deflate", b"", 400),
        ("gzip", gzip.compress(b"\0" * 5_000_000, mtime=0), 413),
        ("deflate", zlib.compress(b"\0" * 5_000_000), 413),
        ("br", b"plain", 415),
        ("gzip, gzip", b"plain", 415),
        ("", b"x" * (LIMIT + 1), 413),
    ],
)
def test_a_body_that_cannot_be_read_is_a_4xx(tight: World, encoding: str, body: bytes, status: int) -> None:
    answer = tight.client.post(GOOD, data=body, headers={"Content-Encoding": encoding})
    assert (answer.status_code, tight.kept()) == (status, ())


def test_a_body_at_the_limit_is_taken(tight: World) -> None:
    assert tight.client.post(GOOD, data=b"x" * LIMIT).status_code == 200
    assert tight.client.post(GOOD, data=gzip.compress(b"\0" * LIMIT, mtime=0), headers={"Content-Encoding": "gzip"}).status_code == 200


class _Breaking(io.RawIOBase):
    """A sender that goes away."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:  # noqa: ANN401 - the base class's own
        raise ConnectionResetError


class _Dripping(io.RawIOBase):
    """A sender whose body comes in small parts."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._left = body

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - the base class's own
        part, self._left = self._left[:3], self._left[3:]
        buffer[: len(part)] = part
        return len(part)


def test_a_body_that_comes_in_parts_is_kept_whole(world: World) -> None:
    body = b"0123456789" * 5
    for length in (str(len(body)), ""):
        environ = {"wsgi.input": _Dripping(body), "CONTENT_LENGTH": length, "wsgi.input_terminated": True}
        assert world.client.post(GOOD, environ_overrides=environ).status_code == 200
    assert [item.body for item in world.kept()] == [body, body]


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"wsgi.input": io.BytesIO(b"short"), "CONTENT_LENGTH": "50"}, 400),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "two"}, 400),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "-2"}, 400),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "9" * 5_000}, 413),
        ({"wsgi.input": io.BytesIO(b"x" * (LIMIT + 1)), "CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 413),
        ({"wsgi.input": io.BytesIO(b"{}"), "CONTENT_LENGTH": "", "wsgi.input_terminated": True}, 200),
        ({"wsgi.input": io.BytesIO(b"ignored"), "CONTENT_LENGTH": ""}, 200),
        ({"wsgi.input": _Breaking(), "CONTENT_LENGTH": "5"}, 400),
    ],
)
def test_a_body_is_read_as_its_length_says(tight: World, environ: dict[str, Any], status: int) -> None:
    assert tight.client.post(GOOD, environ_overrides=environ).status_code == status


def test_a_declared_length_over_the_limit_is_refused_unread(tight: World) -> None:
    environ = {"wsgi.input": _Breaking(), "CONTENT_LENGTH": str(LIMIT + 1)}
    assert tight.client.post(GOOD, environ_overrides=environ).status_code == 413
