"""Which rules are there, in which order, and does each of them win what it was written for?

Rules are data: TOML files, from the specific to the general. The first rule that matches wins, so a rule that never wins
its own example is a fault in the files and is refused here, with its place and the mend.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping

from service.classify.rulebook import Fingerprint, Rule, RuleError, RuleSet, read_fingerprint, read_rule
from service.classify.trial import try_rules

_TOP_KEYS = frozenset({"rule", "fingerprint", "last_resort", "vendor", "source"})


def load_rules(files: Mapping[str, str], *, own: Mapping[str, str] | None = None) -> RuleSet:
    """Read rule files, given as TOML by file name; raises RuleError for the first fault found.

    Shipped files are consulted in the order of their names, an operator's own files before all of them, as given. What
    an own rule takes away from a shipped one is the operator's wish and no fault.
    """
    shipped = RuleSet.of(_read_all(dict(sorted(files.items()))), version=_digest(files))
    try_rules(shipped, shipped.rules)
    if not own:
        return shipped
    mine = RuleSet.of(_read_all(own), version="")
    both = RuleSet(
        rules=_unique((*mine.rules, *shipped.rules)),
        fingerprints=(*mine.fingerprints, *shipped.fingerprints),
        version=_digest({**files, **{f"own/{name}": text for name, text in own.items()}}),
    )
    try_rules(both, mine.rules)
    return both


def _digest(files: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name, text in sorted(files.items()):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()[:12]


def _read_all(files: Mapping[str, str]) -> tuple[tuple[Rule, ...], tuple[Fingerprint, ...]]:
    rules: list[Rule] = []
    fingerprints: list[Fingerprint] = []
    for name, text in files.items():
        table = _parsed(name, text)
        rules.extend(read_rule(name, number, entry, table) for number, entry in _entries(name, table, "rule"))
        fingerprints.extend(read_fingerprint(name, number, entry) for number, entry in _entries(name, table, "fingerprint"))
    return _unique(tuple(rules)), tuple(fingerprints)


def _parsed(name: str, text: str) -> dict[str, object]:
    try:
        table: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RuleError(name, "", f"is not TOML ({error})", "write patterns in single quotes, so that backslashes stay") from error
    unknown = sorted(set(table) - _TOP_KEYS)
    if unknown:
        raise RuleError(name, "", f"has the unknown key `{unknown[0]}`", f"use {', '.join(sorted(_TOP_KEYS))}")
    return table


def _entries(name: str, table: Mapping[str, object], key: str) -> Iterator[tuple[int, dict[str, object]]]:
    entries = table.get(key, [])
    if not isinstance(entries, list):
        raise RuleError(name, "", f"`{key}` is not an array of tables", f"start each one with [[{key}]]")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise RuleError(name, f"{key} {number}", "is not a table", f"start it with [[{key}]]")
        yield number, entry


def _unique(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    seen: dict[str, Rule] = {}
    for rule in rules:
        twin = seen.setdefault(rule.id, rule)
        if twin is not rule:
            raise RuleError(rule.file, rule.id, f"has the id of a rule in {twin.file}", "give each rule an id of its own")
    return rules
