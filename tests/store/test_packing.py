"""A body that was ever packed is unpacked to the same bytes, by each dictionary that was ever shipped."""

from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from service.cli.samples.load import load_samples
from service.esp import adapters
from service.store.packing import (
    DICTIONARY,
    UnreadableFrameError,
    has_dictionary,
    pack,
    pack_archived,
    unpack,
    unpack_start,
    unpacked_bytes,
)

# Archives out there hold bodies that nothing but these bytes can unpack. So a line is added for a new dictionary, and none ever changes.
_SHIPPED = {"40001.zdict": "6aab605e17c66a4d0f70257bdf75249b6b7416ded4b968e37685f517f0027974"}
_FOLDER = Path(str(files("service.store").joinpath("dictionaries")))
_BODIES = st.binary(max_size=300) | st.integers(4_000, 4_200).map(lambda size: b"ab7" * (size // 3)) | st.just(b"x" * 1_000_000)


def test_no_dictionary_that_was_shipped_is_changed_or_gone() -> None:
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in _FOLDER.iterdir()} == _SHIPPED


def test_each_dictionary_has_the_number_in_its_name() -> None:
    numbers = {path.stem: str(zstandard.ZstdCompressionDict(path.read_bytes()).dict_id()) for path in _FOLDER.iterdir()}
    assert all(name == number for name, number in numbers.items())
    assert str(DICTIONARY) in numbers


@given(_BODIES)
def test_a_body_comes_out_as_it_went_in(body: bytes) -> None:
    for packed in (pack(body), pack_archived(body), zstandard.compress(body)):
        assert unpack(packed) == body
        assert unpack_start(packed, 10) == body[:10]
        assert unpacked_bytes(packed[:18]) == len(body)


def test_only_a_small_body_in_the_archive_needs_a_dictionary() -> None:
    assert has_dictionary(pack_archived(b"{}"))
    assert not has_dictionary(pack_archived(b"{}" * 4_000))
    assert not has_dictionary(pack(b"{}"))
    assert not has_dictionary(b"no frame")


@pytest.mark.parametrize("name", sorted(adapters()))
def test_what_each_esp_posts_takes_less_room_by_the_dictionary(name: str) -> None:
    bodies = [sample.body for sample in load_samples(name) if len(sample.body) < 4_000]
    assert sum(len(pack_archived(body)) for body in bodies) < sum(len(pack(body)) for body in bodies)


def test_a_body_of_a_newer_release_is_refused_with_what_to_do() -> None:
    newer = bytearray((_FOLDER / f"{DICTIONARY}.zdict").read_bytes())
    newer[4:8] = (49_999).to_bytes(4, "little")
    packed = zstandard.ZstdCompressor(dict_data=zstandard.ZstdCompressionDict(bytes(newer))).compress(b"{}")
    with pytest.raises(UnreadableFrameError, match=r"packed by dictionary 49999, which this program does not have\. Use the newer program"):
        unpack(packed)


@pytest.mark.parametrize("packed", [b"", b"(", b"no frame"])
def test_what_is_no_frame_is_told(packed: bytes) -> None:
    for read in (unpack, lambda frame: unpack_start(frame, 10)):
        with pytest.raises(UnreadableFrameError):
            read(packed)


def test_a_frame_that_was_cut_short_is_told() -> None:
    for packed in (pack(b"{}" * 40), pack_archived(b"{}" * 40)):
        with pytest.raises(UnreadableFrameError):
            unpack(packed[:-1])
