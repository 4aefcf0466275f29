"""How is a moment written on the command line?"""

from datetime import UTC, datetime

import click

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
