"""Does one adapter hold against what atheris makes of its samples? A process of its own, for the fuzzer ends the one it runs in."""

import sys
from random import Random

import atheris

with atheris.instrument_imports(include=["service.esp", "service.esp_kit"]):
    from fuzz.changes import change
    from fuzz.check import check
    from fuzz.posts import Post, sample_posts
    from service.esp import adapters

_BYTES_SHARE = 0.3  # of the changes are left to atheris, which changes bytes


def main() -> None:
    """`python -m fuzz.target ESP …`, the rest being libFuzzer's own."""
    esp = sys.argv.pop(1)
    adapter, others = adapters()[esp], sample_posts(esp)

    def mutate(raw: bytes, max_size: int, seed: int) -> bytes:
        chance = Random(seed)
        if chance.random() < _BYTES_SHARE:
            return bytes(atheris.Mutate(raw, max_size))
        return change(Post.read(raw), chance, others).written()[:max_size]

    atheris.Setup(sys.argv, lambda raw: check(adapter, Post.read(raw)), custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
