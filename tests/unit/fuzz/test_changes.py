"""Does the fuzzer change posts in a way that can be repeated, and do the adapters hold against a few hundred changes?"""

from random import Random

import pytest

from fuzz.changes import change
from fuzz.check import check
from fuzz.posts import Post, sample_posts
from service.esp import adapters
from service.esp_kit.adapter import Adapter

ADAPTERS = list(adapters().values())


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)
def test_adapter_holds_against_changed_samples(adapter: Adapter) -> None:
    chance, samples = Random(adapter.name), sample_posts(adapter.name)
    for _ in range(40):
        check(adapter, change(chance.choice(samples), chance, samples))


def test_a_post_is_read_as_it_was_written() -> None:
    for adapter in ADAPTERS:
        for post in sample_posts(adapter.name):
            assert Post.read(post.written()) == post


def test_the_same_seed_makes_the_same_change() -> None:
    samples = sample_posts("kumomta")
    assert change(samples[0], Random(7), samples) == change(samples[0], Random(7), samples)


@pytest.mark.parametrize("raw", [b"", b"\n", b"\n\n", b"application/json\n\n{", b"application/json\n\n[]", b"a\nb=1&c\n", b"\n\n{}"])
def test_any_bytes_can_be_changed(raw: bytes) -> None:
    samples = sample_posts("generic")
    for seed in range(50):
        changed = change(Post.read(raw), Random(seed), samples)
        assert Post.read(changed.written()).body == changed.body
