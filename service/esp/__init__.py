"""Which ESPs are there? The folder is the registry: each module in it ends in `ADAPTER`."""

import importlib
import pkgutil
from functools import cache

from service.esp_kit.adapter import Adapter


@cache
def adapters() -> dict[str, Adapter]:
    """Every adapter in this folder by its name, sorted."""
    modules = sorted(found.name for found in pkgutil.iter_modules(__path__))
    found = (importlib.import_module(f"{__name__}.{name}").ADAPTER for name in modules)
    return {adapter.name: adapter for adapter in found}
