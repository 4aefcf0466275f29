"""How is a value made that passes by the million?

A frozen dataclass sets each of its fields through `object.__setattr__`, which makes an event of two dozen fields seven
times dearer than a plain one. So what stands on the way of an event is frozen for the type checker, which reads every
line that could change it, and not once more at run time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

__all__ = ["passing"]

if TYPE_CHECKING:
    from dataclasses import dataclass as passing
else:

    def passing(*, frozen: bool, slots: bool, kw_only: bool = False) -> Any:  # noqa: ANN401 - a class decorator, as `dataclass` is
        """A dataclass that is compared, hashed and replaced as a frozen one is."""
        return dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)
