"""How is a request's body read, so that neither its size nor what it inflates to can hurt?"""

import zlib
from collections.abc import Mapping
from typing import IO, Any

from service.model.errors import BodyTooLargeError, HoppError

_GZIP = 16 + zlib.MAX_WBITS
_CHUNK_BYTES = 65_536


class BrokenBodyError(HoppError):
    """The body is not what its headers say: shorter than declared, or not compressed as declared."""


class UnknownEncodingError(HoppError):
    """The body is encoded in a way that we do not read."""


def read_body(environ: Mapping[str, Any], limit_bytes: int) -> bytes:
    """The body as it was signed: inflated where it came compressed.

    Raises BodyTooLargeError, BrokenBodyError or UnknownEncodingError.
    """
    declared = _declared_length(environ)
    if declared is not None and declared > limit_bytes:
        raise BodyTooLargeError(f"The body has {declared} bytes; {limit_bytes} are taken.")
    try:
        body = _read(environ, declared, limit_bytes)
    except HoppError:
        raise
    except Exception as error:  # each server has its own errors for broken chunks and for a sender that went away
        raise BrokenBodyError("The body breaks off.") from error
    encoding = environ.get("HTTP_CONTENT_ENCODING", "")
    return inflate(body, encoding, limit_bytes) if encoding else body


def inflate(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The plain body; stops as soon as it grows over the limit."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, _GZIP, limit_bytes)
        case "deflate":
            # RFC 9110 means zlib's wrapping; some senders leave it out.
            is_wrapped = len(body) > 1 and body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
            return _inflate(body, zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS, limit_bytes)
        case _:
            raise UnknownEncodingError("The body is encoded in a way that is not read here.")


def _inflate(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    inflater = zlib.decompressobj(window_bits)
    try:
        plain = inflater.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BrokenBodyError("The body is not compressed as it says.") from error
    if len(plain) > limit_bytes:
        raise BodyTooLargeError(f"The body inflates to more than {limit_bytes} bytes.")
    if not inflater.eof or inflater.unused_data:
        raise BrokenBodyError("The compressed body ends too early or goes on after its end.")
    return plain


def _declared_length(environ: Mapping[str, Any]) -> int | None:
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise BrokenBodyError("Content-Length is no number.")
    return int(text[:20])


def _read(environ: Mapping[str, Any], declared: int | None, limit_bytes: int) -> bytes:
    stream = environ["wsgi.input"]
    if declared is not None:
        return _read_exactly(stream, declared)
    # Without a declared length it is chunked, where the server knows its end; else there is none.
    return _read_to_end(stream, limit_bytes) if environ.get("wsgi.input_terminated") else b""


def _read_exactly(stream: IO[bytes], length: int) -> bytes:
    """One read where the server has all of it, which is the usual case; else as many as it takes."""
    body = stream.read(length)
    if len(body) == length:
        return body
    parts = [body]
    missing = length - len(body)
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    if missing:
        raise BrokenBodyError("The body is shorter than it says.")
    return b"".join(parts)


def _read_to_end(stream: IO[bytes], limit_bytes: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := stream.read(_CHUNK_BYTES):
        size += len(part)
        if size > limit_bytes:
            raise BodyTooLargeError(f"The body has more than {limit_bytes} bytes.")
        parts.append(part)
    return b"".join(parts)
