"""How long ago, in a word or two?"""

from service.model.moments import DAY_US, HOUR_US, SECOND_US

_MINUTE_US = 60 * SECOND_US
_UNITS = ((DAY_US, "days"), (HOUR_US, "h"), (_MINUTE_US, "min"), (SECOND_US, "s"))


def age_of(age_us: int) -> str:
    """An age in the largest unit of which it holds at least two; seconds where there is none."""
    size, name = next(((size, name) for size, name in _UNITS if age_us >= 2 * size), (SECOND_US, "s"))
    return f"{max(age_us, 0) // size} {name}"
