"""How are a moment and an ESP written on the command line?"""

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from service.esp_kit.adapter import Adapter
from service.model.likeness import meant
from service.model.moments import to_us


class _Moment(click.ParamType[int]):
    """ISO 8601, taken as microseconds since 1970; without an offset it is UTC."""

    name = "T"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no moment like 2026-01-31T08:00:00Z", param, ctx)
        return to_us(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


MOMENT = _Moment()


def chosen_adapter(known: Mapping[str, Adapter], esp: str) -> Adapter:
    """The adapter of this name; a UsageError, with the likeliest name, where there is none."""
    if esp not in known:
        message = f"there is no ESP {esp!r}{meant(esp, known)}; known: {', '.join(known)}"
        raise click.UsageError(message)
    return known[esp]
