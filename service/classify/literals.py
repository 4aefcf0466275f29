"""Which plain words must stand in a line before a pattern can match it?

An answer is looked through for those words once, and only patterns whose words are there are tried. What is said here of
a pattern must be true of all its matches: in doubt nothing is required, and the pattern is tried on every line.
"""

import re
from collections.abc import Callable, Iterable, Iterator

_MOST_STRINGS = 24  # more spellings than this are not worth a look each
_LONGEST = 12  # the words of a longer phrase are as rare as the phrase
_REPEAT = re.compile(r"\{(\d+)(,\d*)?\}")
_PLAIN = re.compile(r"[\w ,:;=<>@/#!%&'\"~_-]+(?![?*+{])")
_WHOLE = re.compile(r"\(\?[^:P<]|\\Q")
_NO_WIDTH = frozenset("bBAz")
_ONE_OF_MANY = frozenset("dDsSwW")
_SIGN = r"(?:[^\\\[\]^-]|\\[^A-Za-z0-9])"
_PLAIN_CLASS = re.compile(rf"\[((?:{_SIGN}(?:-{_SIGN})?)*-?)\]")
_SPAN = re.compile(rf"({_SIGN})(?:-({_SIGN}))?|-")
_ANY_CLASS = re.compile(r"\[\^?\]?(?:[^\\\[\]]|\\.)*\]")

Weigh = Callable[[str], float]
_Strings = frozenset[str]


class _Unreadable(Exception):  # noqa: N818 - caught beside its raise: no fault, a pattern beyond this reader
    """A pattern that uses more of the language than is read here."""


class _Part:
    """A piece of a pattern: all that it can match, where that is little, and else the words that it cannot do without."""

    __slots__ = ("exact", "needs")

    def __init__(self, exact: _Strings | None, needs: tuple[_Strings, ...] = ()) -> None:
        self.exact = exact
        self.needs = needs  # of each of these sets one word must stand in the line

    def all_needs(self) -> tuple[_Strings, ...]:
        return self.needs if self.exact is None else _useful(self.exact)


_NOTHING = _Part(frozenset({""}))
_ANYTHING = _Part(None)


def branches(pattern: str) -> list[str]:
    """Cut a pattern at the bars that stand outside of all brackets; one with flags or quotes stays whole."""
    if _WHOLE.search(pattern):
        return [pattern]
    found = [""]
    depth = 0
    place = 0
    while place < len(pattern):
        piece = _piece(pattern, place)
        depth += (piece == "(") - (piece == ")")
        if piece == "|" and depth == 0:
            found.append("")
        else:
            found[-1] += piece
        place += len(piece)
    return found


def required_words(pattern: str, weigh: Weigh) -> list[_Strings]:
    """Give up to two sets of words, lightest first: each match of the pattern holds a word of each set."""
    try:
        reader = _Reader(pattern)
        part = reader.alternatives()
    except _Unreadable:
        return []
    needs = {_fewest(need) for need in part.all_needs()}
    return sorted(needs, key=lambda need: (sum(map(weigh, need)), sorted(need)))[:2]


def _piece(pattern: str, place: int) -> str:
    if pattern[place] == "\\":
        return pattern[place : place + 2]
    if pattern[place] == "[":
        found = _ANY_CLASS.match(pattern, place)
        return found[0] if found else "["
    return pattern[place]


def _useful(words: _Strings) -> tuple[_Strings, ...]:
    return (words,) if all(words) else ()


def _fewest(words: Iterable[str]) -> _Strings:
    """Cut long words short, and drop those that hold another one; blanks around a word only make more words of one."""
    short = {word[:_LONGEST].strip() or word for word in words}
    return frozenset(word for word in short if not any(other != word and other in word for other in short))


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._place = 0

    def alternatives(self) -> _Part:
        """Read up to the end, or to the bracket that closes this group."""
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _either(parts)

    def _sequence(self) -> _Part:
        return _together(self._atoms())

    def _atoms(self) -> Iterator[_Part]:
        while self._place < len(self._pattern) and self._pattern[self._place] not in "|)":
            yield self._repeated(self._atom())

    def _take(self, sign: str) -> bool:
        if not self._pattern.startswith(sign, self._place):
            return False
        self._place += len(sign)
        return True

    def _atom(self) -> _Part:
        plain = _PLAIN.match(self._pattern, self._place)
        if plain:
            self._place = plain.end()
            return _Part(frozenset({plain[0]}))
        if self._take("("):
            return self._group()
        piece = _piece(self._pattern, self._place)
        self._place += len(piece)
        if piece[0] == "[":
            return _of_class(piece)
        if piece[0] == "\\":
            return _of_escape(piece[1:])
        if piece in "^$":
            return _NOTHING
        return _ANYTHING if piece == "." else _Part(frozenset({piece}))

    def _group(self) -> _Part:
        if not self._take("?:") and self._pattern.startswith("?", self._place):
            raise _Unreadable  # flags: the words may not be what they look like
        part = self.alternatives()
        if not self._take(")"):
            raise _Unreadable
        return part

    def _repeated(self, part: _Part) -> _Part:
        for sign in "?*+":
            if self._take(sign):
                return self._lazily(_optional(part) if sign == "?" else _many(part, 1 if sign == "+" else 0))
        counted = _REPEAT.match(self._pattern, self._place)
        if counted is None:
            return part
        self._place = counted.end()
        return self._lazily(_many(part, int(counted[1])))

    def _lazily(self, part: _Part) -> _Part:
        self._take("?")
        return part


def _of_escape(sign: str) -> _Part:
    if sign in _NO_WIDTH:
        return _NOTHING
    if sign in _ONE_OF_MANY:
        return _ANYTHING
    if not sign or sign.isalnum():
        raise _Unreadable
    return _Part(frozenset({sign}))


def _of_class(piece: str) -> _Part:
    if not piece.endswith("]") or "[:" in piece:
        raise _Unreadable
    plain = _PLAIN_CLASS.fullmatch(piece)
    if plain is None:
        return _ANYTHING
    signs = frozenset(sign for span in _SPAN.finditer(plain[1]) for sign in _spanned(span))
    return _Part(signs) if 0 < len(signs) <= _MOST_STRINGS else _ANYTHING


def _spanned(span: re.Match[str]) -> Iterable[str]:
    first, last = (ord(sign[-1]) for sign in (span[1] or "-", span[2] or span[1] or "-"))
    return map(chr, range(first, last + 1))


def _optional(part: _Part) -> _Part:
    return _ANYTHING if part.exact is None else _Part(part.exact | {""})


def _many(part: _Part, least: int) -> _Part:
    return _Part(None, part.all_needs()) if least else _ANYTHING


def _either(parts: list[_Part]) -> _Part:
    """Any of these: what each of them needs, taken together."""
    exact = [part.exact for part in parts if part.exact is not None]
    if len(exact) == len(parts):
        return _Part(frozenset().union(*exact))
    needs = [min(part.all_needs(), key=_rough_weight, default=None) for part in parts]
    known = [need for need in needs if need is not None]
    return _Part(None, (frozenset().union(*known),)) if len(known) == len(parts) else _ANYTHING


def _together(parts: Iterable[_Part]) -> _Part:
    """One after the other: neighbours of few spellings make words, the others bring their own."""
    words: _Strings = frozenset({""})
    needs: list[_Strings] = []
    is_exact = True
    for part in parts:
        if part.exact is not None and len(words) * len(part.exact) <= _MOST_STRINGS:
            words = frozenset(before + after for before in words for after in part.exact)
            continue
        is_exact = False
        needs += _useful(words)
        needs += part.needs
        words = frozenset({""}) if part.exact is None else part.exact
    return _Part(words) if is_exact else _Part(None, (*needs, *_useful(words)))


def _rough_weight(words: _Strings) -> float:
    return sum(3.0 ** -min(len(word), _LONGEST) for word in words)
