"""A scenario: what happens, every point that it passes, at which of them the server is killed, and what must be true in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from tests.crash import endings, steps
from tests.crash.customer import Customer, Step

CATALOGS: Final = ("analytics", "compute", "messaging")

# What passes by itself every second or so, with the clock that only development has, or when mails about a bill are written.
_BACKGROUND: Final = (
    *(
        "clean",
        "clean.changes",
        "clean.keys",
        "clean.trials",
        "clean.usage_events",
        "clock.save",
        "credits.due",
        "inbox",
        "notice.mail",
        "notice.paid",
        "session-used",
        "stripe.list_events",
    ),
)

# What is asked once in the life of a server, which remembers the answer.
_REMEMBERED: Final = ("stripe.retrieve_tax_rate",)

# What begins so asks the provider, and changes nothing there.
_READS: Final = tuple(f"stripe.{verb}_" for verb in ("find", "list", "preview", "retrieve"))

Check: TypeAlias = Callable[[Customer, str], Awaitable[None]]
Rest: TypeAlias = Callable[[Customer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, every point that is passed by it, and what must be true however often it was interrupted.

    `given` are the steps that lead up to it; `act` is what is interrupted, and done again as whoever does it would. Points passed
    by the worker come in an order of its own, so that only `in_order` scenarios list them in theirs. What begins with one of
    `beside` is done by the worker meanwhile, and belongs to another scenario. After those that are `alike` what is left is as after
    another point, or code goes on with it that another scenario is struck in: they are listed and not struck. `then` is told the
    point; `at_rest` is what holds for whatever happened, and `leaves` ends what would go on. Where the catalogs differ in more than
    numbers, every point is struck `in_each_catalog` of `catalogs`.
    """

    name: str
    given: tuple[Step, ...]
    act: Step
    points: tuple[str, ...]
    then: Check
    in_order: bool = False
    in_each_catalog: bool = False
    catalogs: tuple[str, ...] = CATALOGS
    beside: tuple[str, ...] = ()
    alike: tuple[str, ...] = ()
    at_rest: Rest = endings.money_is_right
    leaves: Rest = steps.close_pages

    @property
    def struck(self) -> tuple[str, ...]:
        """The points that leave behind what no other leaves: the first, and those after something was committed or changed.

        All that outlives a process is changed by its commits and by its calls to the provider, and every one of them lies between
        two points. So whoever dies before one leaves behind what was there after the one that came before it in the same code, and
        whoever dies around a question leaves what was there before it was asked. Where a job of the worker begins with a question,
        that one is struck: the job was taken, and did nothing yet.
        """
        first_call = next((point for point in self.points if point.startswith("stripe.")), None)
        kept = {self.points[0], None if self.in_order else first_call}
        return tuple(
            point
            for point in self.points
            if point in kept or (":after" in point and not point.startswith(_READS) and point not in self.alike)
        )

    def passed(self, points: list[str]) -> list[str]:
        """Those of the points passed that the scenario has to list; the second time that a point is passed is `point#2`."""
        seen = Counter[str]()
        passed: list[str] = []
        for point in points:
            is_aside = point.startswith(self.beside) or point.partition(":")[0] in _BACKGROUND
            if point in self.points or not is_aside:
                seen[point] += 1
                passed.append(point if seen[point] == 1 else f"{point}#{seen[point]}")
        return passed if self.in_order else sorted(seen)


def is_passed_once(point: str) -> bool:
    """Whether a server passes a point once in its life, so that it must be a new one that is to be struck there."""
    return point.partition(":")[0] in _REMEMBERED


def commits(*steps: str, nth: int = 1) -> tuple[str, ...]:
    """The points around commits, passed for the `nth` time."""
    mark = f"#{nth}" if nth > 1 else ""
    return tuple(f"{step}:{side}-commit{mark}" for step in steps for side in ("before", "after"))


def calls(*names: str) -> tuple[str, ...]:
    """The points around calls to the provider; `name#2` is the second such call."""
    parts = [name.partition("#") for name in names]
    return tuple(f"stripe.{name}:{side}{mark}{time}" for name, mark, time in parts for side in ("before", "after"))


NEW_CUSTOMER: Final = (
    *calls("create_customer"),
    *commits("customer.save", "customer.begin_write"),
    *calls("update_customer"),
    *commits("customer.end_write"),
)
"""What is passed where a workspace is made known to the provider."""
