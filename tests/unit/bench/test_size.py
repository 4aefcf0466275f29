"""Are the figures of large tables taken at the right sizes?"""

from pathlib import Path

from bench.setting import Progress
from bench.size import AtSize, Chunk, at_sizes, pays


def chunks(*us: float) -> list[Chunk]:
    return [Chunk(us=item, per_second=1e6 / item) for item in us]


def test_each_size_is_the_median_of_what_was_written_from_there_on() -> None:
    found = at_sizes(chunks(*(float(number) for number in range(1, 501))), 5_000_000)
    assert [(item["stored"], item["us"]) for item in found if item["stored"] in {0, 1_000_000, 5_000_000}] == [
        (0, 6.5),
        (1_000_000, 105.5),
        (5_000_000, 495.5),
    ]


def at(stored: int, per_second: float) -> AtSize:
    return AtSize(stored=stored, us=1e6 / per_second, per_second=per_second)


def test_moving_pays_from_the_size_at_which_sqlite_is_slower() -> None:
    on_postgres = [at(size, 10_000) for size in (0, 1_000_000, 2_000_000, 3_000_000)]
    on_sqlite = [at(0, 9_000), at(1_000_000, 12_000), at(2_000_000, 8_000), at(3_000_000, 4_500)]
    assert pays(on_postgres, on_sqlite) == (
        "SQLite keeps 0.50 of its speed at 3,000,000 events. From about 2,000,000 stored events on a worker is faster on PostgreSQL: "
        "there moving pays."
    )
    assert "Up to there a worker is faster on SQLite" in pays(on_postgres[:2], on_sqlite[:2])


def test_step_that_is_done_is_not_done_again_unless_the_settings_differ(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert Progress(path, "large").once("size", lambda: [1]) == [1]
    assert Progress(path, "large").once("size", lambda: [2]) == [1]
    assert Progress(path, "small").once("size", lambda: [3]) == [3]


def test_part_that_was_measured_to_its_end_is_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for key in ("size", "size sqlite 5000", "memory"):
        Progress(path, "large").once(key, lambda: 1)
    Progress(path, "large").forget(["size"])
    again = Progress(path, "large")
    assert [again.once(key, lambda: 2) for key in ("size", "size sqlite 5000", "memory")] == [2, 2, 1]
