"""Which dictionary packs what ESPs post best? Trained on the sample posts of all ESPs: `python -m bench.dictionary 40002`.

The number is a new one: bodies in archives are packed by those that were shipped. `DICTIONARY` in service/store/packing.py says which
one packs, tests/store/test_packing.py holds the sum of each.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import orjson
import zstandard

from service.cli.samples.load import load_samples
from service.esp import adapters

_BYTES = 48_000  # of 16 to 112 kB the size that leaves posts smallest that it was not trained on: a third of what they take without


def trained(number: int) -> bytes:
    """The dictionary; the same samples and the same zstd give the same one."""
    return zstandard.train_dictionary(_BYTES, list(_bodies()), dict_id=number).as_bytes()


def _bodies() -> Iterator[bytes]:
    """As they stand in the samples, and as ESPs post them: JSON without spaces."""
    for name in sorted(adapters()):
        for sample in load_samples(name):
            yield sample.body
            with suppress(orjson.JSONDecodeError):
                yield orjson.dumps(orjson.loads(sample.body))


def main() -> None:
    """Write a new dictionary."""
    number = int(sys.argv[1])
    path = Path(str(files("service.store").joinpath("dictionaries", f"{number}.zdict")))
    if path.exists():
        sys.exit(f"{path} was shipped: bodies are packed by it, so that it may not change. Take the next number.")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(trained(number))
    print(f"{path}\nsha256 {sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
