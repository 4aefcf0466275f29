"""How is a body packed while it waits? By zstd, with tools that are made once for each thread: making them costs more than using them."""

from threading import local

import zstandard

HEAD_BYTES = 18  # the longest head of a frame, which tells how long its content is
_LEVEL = 1
_LARGEST_BODY = 1 << 30


class _Tools(local):
    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.unpack = zstandard.ZstdDecompressor().decompress


_tools = _Tools()


def pack(body: bytes) -> bytes:
    """The body in one frame."""
    return _tools.pack(body)


def unpack(packed: bytes) -> bytes:
    """The body again; raises zstandard.ZstdError where it is none."""
    return _tools.unpack(packed, max_output_size=_LARGEST_BODY)


def unpacked_bytes(head: bytes) -> int:
    """How large a packed body is once it is unpacked, by the first of its bytes."""
    return zstandard.frame_content_size(head)
