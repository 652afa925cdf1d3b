"""Reading a TOML table key by key. Mistakes are collected instead of raised, so that one run finds all of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar, cast

from app.errors import InvalidInput
from app.money import CreditUnit, Money, fraction_digits, to_steps

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MAX_COUNT = 1_000_000
# Stripe charges at most eight digits at once, whatever the currency.
_MAX_MINOR = 99_999_999
_MAX_TEXT = 1_000
_QUANTITY_DECIMALS = 6
_MAX_QUANTITY = 10**18
_QUANTITY = (
    f'a whole number or a text such as "0.5", from 0 to {_MAX_QUANTITY} with at most {_QUANTITY_DECIMALS} decimals,'
    ' or "unlimited"'
)
_PLAIN_NUMBER = re.compile(r"[0-9]{1,24}(\.[0-9]{1,18})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CODE = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_MAX_CODE = 40
CODE = f"a code: at most {_MAX_CODE} lower-case letters and digits, in words joined by - or _"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the dotted key it is at (empty for the file as a whole), and what was expected there."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


@dataclass(slots=True)
class Reading:
    """What all tables of one file share: the mistakes so far, and the units that amounts are in."""

    problems: list[Problem] = field(default_factory=list[Problem])
    unknown_keys: list[Problem] = field(default_factory=list[Problem])
    currency: str = "USD"
    credit_unit: CreditUnit = field(default_factory=lambda: CreditUnit("credits", "credits", 0))


class Table:
    """A TOML table under `key`.

    Each reading method takes a key of the table and answers its value, or, having noted what is wrong, a stand-in of the
    same type; `close` then notes the keys that nobody asked for.
    """

    def __init__(self, values: Mapping[str, object], key: str, reading: Reading) -> None:
        self._values = values
        self._key = key
        self._reading = reading
        self._asked: set[str] = set()

    def path(self, key: str) -> str:
        """The dotted path of one of this table's keys."""
        return f"{self._key}.{key}" if self._key else key

    def note(self, key: str, message: str) -> None:
        """Note a mistake at one of this table's keys."""
        self._reading.problems.append(Problem(self.path(key), message))

    def is_sound(self, key: str) -> bool:
        """Whether nothing was found wrong yet at this key, under it or above it: only then is it worth judging further."""
        path = self.path(key) + "."
        at_fault = (problem.key + "." for problem in self._reading.problems)
        return not any(fault.startswith(path) or path.startswith(fault) for fault in at_fault)

    def __contains__(self, key: str) -> bool:
        self._asked.add(key)
        return key in self._values

    @property
    def reading(self) -> Reading:
        """What this table shares with the others of its file."""
        return self._reading

    def close(self) -> None:
        """Note every key that this table may not have, with the nearest one that it may."""
        for key in self._values.keys() - self._asked:
            self._note_unknown(key, self._asked)

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """What `read` answers for the key, None where the key is absent."""
        return read(key) if key in self else None

    def text(self, key: str, expected: str = "a text in quotes") -> str:
        """A line of text, not blank, without control characters."""
        value = self._take(key, str, expected)
        if value is None:
            return ""
        if not value.strip() or len(value) > _MAX_TEXT or _CONTROL.search(value):
            self.note(key, f"expected one line of 1 to {_MAX_TEXT} characters, not blank")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = cast("list[object]", self._take(key, list, "a list of texts") or [])
        entries = Table({str(index): value for index, value in enumerate(values)}, self.path(key), self._reading)
        return tuple(entries.text(str(index)) for index in range(len(values)))

    def matching(self, key: str, pattern: str, expected: str) -> str:
        """A text of which the whole matches `pattern`."""
        value = self.text(key, expected)
        if value and not re.fullmatch(pattern, value):
            self.note(key, f"expected {expected}, found {_described(value)}")
        return value

    def code(self, key: str) -> str:
        """A code: words of lower-case letters and digits joined by - or _."""
        value = self.text(key, CODE)
        if value and not _is_code(value):
            self.note(key, f"expected {CODE}, found {_described(value)}")
        return value

    def flag(self, key: str, *, default: bool | None = None) -> bool:
        """true or false; the default, if there is one, where the key is absent."""
        if default is not None and key not in self:
            return default
        return self._take(key, bool, "true or false") or False

    def count(self, key: str, *, least: int = 0, most: int = MAX_COUNT, default: int | None = None) -> int:
        """A whole number from `least` to `most`; the default, if there is one, where the key is absent."""
        if default is not None and key not in self:
            return default
        expected = f"a whole number from {least} to {most}"
        value = self._take(key, int, expected)
        if value is not None and not least <= value <= most:
            self.note(key, f"expected {expected}, found {_described(value)}")
            return least
        return least if value is None else value

    def choice(self, key: str, options: type[E]) -> E:
        """One of the values of an enumeration."""
        members = list(options)
        expected = "one of " + ", ".join(f'"{member.value}"' for member in members)
        value = self._take(key, str, expected)
        if value is None:
            return members[0]
        chosen = next((member for member in members if member.value == value), None)
        if chosen is None:
            self.note(key, f"expected {expected}, found {_described(value)}")
        return chosen or members[0]

    def reference(self, key: str, kind: str, codes: Collection[str]) -> str:
        """The code of something that the file defines elsewhere."""
        expected = f"the code of a {kind} ({listed(codes)})"
        value = self.text(key, expected)
        if value and value not in codes:
            self.note(key, f"expected {expected}, found {_described(value)}")
        return value

    def money(self, key: str, *, least: int = 0) -> Money:
        """An amount of the catalog's currency of at least `least` minor units, written as a text such as "5.00"."""
        currency = self._reading.currency
        digits = fraction_digits(currency)
        minor = self._steps(key, digits, f'an amount of {currency} as a text such as "{5:.{digits}f}"')
        if minor is not None and not least <= minor <= _MAX_MINOR:
            low, high = Money(least, currency).amount, Money(_MAX_MINOR, currency).amount
            self.note(key, f"expected an amount from {low} to {high} {currency}")
        return Money(minor or 0, currency)

    def credits(self, key: str, *, least: int = 1) -> int:
        """An amount of credits, written as a text, in steps of the credit unit; at least `least` steps."""
        unit = self._reading.credit_unit
        steps = self._steps(key, unit.decimals, f'an amount of {unit.name} as a text such as "{10:.{unit.decimals}f}"')
        if steps is not None and steps < least:
            self.note(key, f"expected at least {unit.from_steps(least):f} {unit.name}")
        return least if steps is None else steps

    def percent(self, key: str) -> Decimal:
        """A percentage above 0 and up to 100, written as a text, with the four digits after the point that Stripe keeps."""
        steps = self._steps(key, 4, 'a percentage as a text such as "21"')
        if steps is not None and not 0 < steps <= 100 * 10**4:
            self.note(key, "expected a percentage above 0 and at most 100")
        return _plain(Decimal(steps or 0).scaleb(-4))

    def quantity(self, key: str) -> Decimal | None:
        """A quantity of a resource, as a whole number or a text; None for "unlimited"."""
        if self.holds(key, "unlimited"):
            return None
        value = self._take(key, (int, str), _QUANTITY)
        if value is None:
            return Decimal(0)
        if isinstance(value, int) or _PLAIN_NUMBER.fullmatch(value):
            number = Decimal(value)
            if 0 <= number <= _MAX_QUANTITY and number == round(number, _QUANTITY_DECIMALS):
                return _plain(number)
        self.note(key, f"expected {_QUANTITY}, found {_described(value)}")
        return Decimal(0)

    def table(self, key: str, *, expected: str = "a table") -> Table:
        """A table inside this one; if it is missing or none, an empty one that is not complained of any further."""
        values = cast("dict[str, object] | None", self._take(key, dict, expected))
        if values is None:
            return Table({}, self.path(key), replace(self._reading, problems=[], unknown_keys=[]))
        return Table(values, self.path(key), self._reading)

    def members(self, key: str, *, keys: Collection[str] | None = None) -> Iterator[tuple[str, Table]]:
        """The keys in the table `key` (absent: none), each with that table: they are some of `keys`, or else codes."""
        if key not in self:
            return
        group = self.table(key)
        for name in group._values:
            if keys is not None and name not in keys:
                group._note_unknown(name, keys)
            elif keys is None and not _is_code(name):
                group.note(name, f"expected {CODE} as the key")
            else:
                yield name, group

    def entries(self, key: str, *, keys: Collection[str] | None = None) -> Iterator[tuple[str, Table]]:
        """The tables inside the table `key`, each with its own key, as `members` finds them."""
        return ((name, group.table(name)) for name, group in self.members(key, keys=keys))

    def rows(self, key: str) -> Iterator[Table]:
        """The tables of a list of tables (absent: none), under the keys `key.0`, `key.1` and so on."""
        if key not in self:
            return
        values = cast("list[object]", self._take(key, list, "a list of tables") or [])
        group = Table({str(index): value for index, value in enumerate(values)}, self.path(key), self._reading)
        for index in range(len(values)):
            yield group.table(str(index))

    def is_count(self, key: str) -> bool:
        """Whether a plain whole number stands at the key, where a table could too."""
        return isinstance(self._values.get(key), int)

    def holds(self, key: str, value: object) -> bool:
        """Whether just this value stands at the key."""
        return key in self and self._values[key] == value

    def codes(self, key: str) -> frozenset[str]:
        """The keys of the table `key`, whatever is under them; none if it is no table."""
        value = self._values.get(key)
        return frozenset(cast("dict[str, object]", value)) if isinstance(value, dict) else frozenset()

    def _note_unknown(self, key: str, known: Collection[str]) -> None:
        near = get_close_matches(key, known, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"expected one of: {listed(known)}"
        self._reading.unknown_keys.append(Problem(self.path(key), f"unknown key; {hint}"))

    def _take(self, key: str, kind: type[T] | tuple[type[T], ...], expected: str) -> T | None:
        if key not in self:
            self.note(key, f"is missing; expected {expected}")
            return None
        value = self._values[key]
        # Python counts true and false among the whole numbers; a catalog does not.
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            self.note(key, f"expected {expected}, found {_described(value)}")
            return None
        return value

    def _steps(self, key: str, decimals: int, expected: str) -> int | None:
        value = self._take(key, str, expected)
        if value is None:
            return None
        if not _PLAIN_NUMBER.fullmatch(value):
            self.note(key, f"expected {expected}, not negative and without an exponent, found {_described(value)}")
            return None
        try:
            return to_steps(Decimal(value), decimals)
        except InvalidInput as error:
            self.note(key, f"expected {expected}, found {_described(value)}. {error.message}")
            return None


def _is_code(text: str) -> bool:
    return len(text) <= _MAX_CODE and _CODE.fullmatch(text) is not None


def _plain(value: Decimal) -> Decimal:
    """The same number without needless zeros after the point, so that equal terms are written alike."""
    whole = value.to_integral_value()
    return whole if whole == value else value.normalize()


def listed(codes: Collection[str]) -> str:
    """The codes to choose from, for a message."""
    return ", ".join(sorted(codes)) or "there is none"


def _described(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return f"the number {value}" if abs(value) < 10**20 else "a far larger number"
        case float():
            return f"the float {value}, which is not exact"
        case str():
            return json.dumps(value if len(value) <= 60 else value[:60] + "…", ensure_ascii=False)
        case list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return f"a {type(value).__name__}"
