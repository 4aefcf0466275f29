"""How is a body packed, in the archive and while it waits? By zstd; a small one in the archive by a dictionary of what ESPs write.

A frame names its dictionary by number, and nothing else unpacks it: one that was ever shipped is never changed or removed. A better
one gets the next number and comes beside it (bench/dictionary.py makes it).
"""

from collections.abc import Callable
from functools import cache, cached_property
from importlib.resources import files
from threading import local

import zstandard

from service.model.errors import HoppError

HEAD_BYTES = 18  # the longest head of a frame, which tells how long its content is
DICTIONARY = 40_001  # what new frames are packed by; zstd leaves the numbers from 32,768 to its users
_LEVEL = 1  # level 3 takes a fifth longer for a tenth less of a small body, and for nothing of a large one
# A larger body is its own dictionary: by ours it gets no smaller, and from 30 kB on it takes longer.
_SMALL_BYTES = 4_096
_LARGEST_BODY = 1 << 30


class UnreadableFrameError(HoppError):
    """What is kept is no packed body."""


class _Tools(local):
    """Made once for each thread: making them costs more than using them."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(level=_LEVEL).compress
        self.readers: dict[int, zstandard.ZstdDecompressor] = {}

    @cached_property
    def pack_small(self) -> Callable[[bytes], bytes]:
        """Made where it is needed: the web packs nothing for the archive."""
        return zstandard.ZstdCompressor(level=_LEVEL, dict_data=_dictionary(DICTIONARY)).compress


@cache
def _dictionary(number: int) -> zstandard.ZstdCompressionDict:
    try:
        found = zstandard.ZstdCompressionDict(files("service.store").joinpath("dictionaries", f"{number}.zdict").read_bytes())
    except FileNotFoundError as error:
        message = f"A body is packed by dictionary {number}, which this program does not have. Use the newer program that packed it."
        raise UnreadableFrameError(message) from error
    found.precompute_compress(_LEVEL)
    return found


_tools = _Tools()


def pack(body: bytes) -> bytes:
    """The body in one frame that any release reads: while it waits, one older than this may come to it."""
    return _tools.pack(body)


def pack_archived(body: bytes) -> bytes:
    """The body in one frame for the archive."""
    return _tools.pack_small(body) if len(body) < _SMALL_BYTES else _tools.pack(body)


def unpack(packed: bytes) -> bytes:
    """The body again; raises UnreadableFrameError."""
    try:
        return _reader_of(packed).decompress(packed, max_output_size=_LARGEST_BODY)
    except zstandard.ZstdError as error:
        raise UnreadableFrameError(f"A packed body cannot be read: {error}.") from error


def unpack_start(packed: bytes, limit_bytes: int) -> bytes:
    """So much of the body; raises UnreadableFrameError."""
    try:
        with _reader_of(packed).stream_reader(packed) as reader:
            return reader.read(limit_bytes)
    except zstandard.ZstdError as error:
        raise UnreadableFrameError(f"A packed body cannot be read: {error}.") from error


def unpacked_bytes(head: bytes) -> int:
    """How large a packed body is once it is unpacked, by the first of its bytes."""
    return zstandard.frame_content_size(head)


def has_dictionary(packed: bytes) -> bool:
    """True where a program needs the dictionary that the frame names, to unpack it."""
    try:
        return zstandard.get_frame_parameters(packed).dict_id != 0
    except zstandard.ZstdError:
        return False


def _reader_of(packed: bytes) -> zstandard.ZstdDecompressor:
    number = zstandard.get_frame_parameters(packed).dict_id
    if number not in _tools.readers:
        _tools.readers[number] = zstandard.ZstdDecompressor(dict_data=_dictionary(number)) if number else zstandard.ZstdDecompressor()
    return _tools.readers[number]
