"""What passes by the million is made like a plain dataclass and behaves like a frozen one."""

from dataclasses import replace

import pytest

from service.model.values import passing


@passing(frozen=True, slots=True, kw_only=True)
class Mail:
    subject: str
    size: int = 0


def test_equal_values_are_one_in_a_set() -> None:
    assert {Mail(subject="Spring"), Mail(subject="Spring"), Mail(subject="Autumn")} == {Mail(subject="Autumn"), Mail(subject="Spring")}


def test_a_change_makes_a_new_value() -> None:
    mail = Mail(subject="Spring")
    assert (replace(mail, size=3), mail) == (Mail(subject="Spring", size=3), Mail(subject="Spring"))


def test_it_has_no_other_fields() -> None:
    with pytest.raises(TypeError):
        Mail("Spring")  # type: ignore[call-arg]  # that is the fact
    with pytest.raises(AttributeError):
        Mail(subject="Spring").weight = 1  # type: ignore[attr-defined]  # the same
