"""What a row of the authorization table says, and how an answer is judged by it."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any, TypeAlias, cast
from uuid import UUID, uuid4

from app.errors import NotFound
from app.ids import GlobalId, parse_global_id
from tests.authorization.callers import OUTSIDERS, Who
from tests.authorization.scene import Scene

Variables: TypeAlias = dict[str, Any]
Given: TypeAlias = Callable[[Scene], Awaitable[Variables]]


class Outcome(Enum):
    """What a caller is answered: let through, shown null without an error, or refused with a code."""

    ALLOWED = "allowed"
    NULL = "null"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"


async def nothing(_scene: Scene) -> Variables:
    """For documents without variables."""
    return {}


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One field, and who may.

    `field` is `Query.node`, `Mutation.signOut` and so on; several rows of one field have a `label` each. `document` asks for it
    with the variables that `given` makes: for each caller who is let through anew, so that it may make what will be used up.
    `denied` says what those are answered who are neither `allowed` nor answered as usual: UNAUTHENTICATED for nobody, NOT_FOUND for
    outsiders, FORBIDDEN for all others. `path` leads to what is asked for in the answer's data, by default the only field; a number
    is a place in a list. `may_answer` are codes of `userErrors` that tell that the caller was let through. With `ends_session` each
    call comes with credentials of its own. `elsewhere` makes the variables of something that does not exist, where it is not named
    by an id.
    """

    field: str
    document: str
    allowed: frozenset[Who]
    given: Given = nothing
    denied: Mapping[Who, Outcome] = dataclasses.field(default_factory=dict[Who, Outcome])
    label: str = ""
    path: tuple[str, ...] = ()
    may_answer: frozenset[str] = frozenset()
    ends_session: bool = False
    elsewhere: Callable[[Variables], Variables] | None = None

    def __str__(self) -> str:
        return f"{self.field} {self.label}".strip()

    @property
    def is_live(self) -> bool:
        """Whether this is a live update, read as an event stream."""
        return self.field.startswith("LiveUpdates.")

    def expected(self, who: Who) -> Outcome:
        """What this caller is answered."""
        if who in self.allowed:
            return Outcome.ALLOWED
        if who in self.denied:
            return self.denied[who]
        if who is Who.NOBODY:
            return Outcome.UNAUTHENTICATED
        return Outcome.NOT_FOUND if who in OUTSIDERS else Outcome.FORBIDDEN

    def outcome(self, answer: dict[str, Any]) -> Outcome | str:
        """What an answer is; a text that says what it is else."""
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        if codes:
            [code] = codes
            value = _at(answer.get("data"), self.path[:-1])
            if value is not None and self.path and value.get(self.path[-1]) is not None:
                return f"{code}, and yet {answer['data']}"
            return Outcome(code) if code in Outcome.__members__ else str(answer)
        value = _at(answer["data"], self.path) if self.path else next(iter(answer["data"].values()))
        if value is None:
            return Outcome.NULL
        payload = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        unexpected = {error["code"] for error in payload.get("userErrors", ())} - self.may_answer
        return f"userErrors {unexpected}" if unexpected else Outcome.ALLOWED

    def nowhere(self, variables: Variables) -> Variables:
        """The same with ids of the same types that never were."""
        return self.elsewhere(variables) if self.elsewhere is not None else _renamed(variables, whole=True)

    def beside(self, variables: Variables) -> Variables:
        """The same with ids in the same workspace that never were; unchanged where no id is of something in a workspace."""
        return _renamed(variables, whole=False)

    def is_of_workspace(self, workspace_id: UUID, variables: Variables) -> bool:
        """Whether an id names the workspace, something that there is one of in it, or something in it."""
        return any(workspace_id in (parsed.workspace_id, parsed.id) for parsed in _ids(variables))


def all_of(callers: frozenset[Who], outcome: Outcome) -> dict[Who, Outcome]:
    """`denied` for several callers at once; put together with `|`."""
    return dict.fromkeys(callers, outcome)


def _at(data: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if data is not None:
            data = cast("list[Any]", data)[int(step)] if isinstance(data, list) else data.get(step)
    return data


def _renamed(value: Any, *, whole: bool) -> Any:
    match value:
        case dict():
            members = cast("dict[str, Any]", value)
            return {name: _renamed(member, whole=whole) for name, member in members.items()}
        case list():
            return [_renamed(member, whole=whole) for member in cast("list[Any]", value)]
        case str():
            return _another_id(value, whole=whole)
        case _:
            return value


def _ids(value: Any) -> Iterator[GlobalId]:
    match value:
        case dict():
            for member in cast("dict[str, Any]", value).values():
                yield from _ids(member)
        case list():
            for member in cast("list[Any]", value):
                yield from _ids(member)
        case str():
            with suppress(NotFound):
                yield parse_global_id(value)
        case _:
            return


def _another_id(text: str, *, whole: bool) -> str:
    try:
        parsed = parse_global_id(text)
    except NotFound:
        return text
    if isinstance(parsed.id, str):
        # of what each workspace has one of, only the workspace can be another
        return str(GlobalId(parsed.type, parsed.id, uuid4())) if parsed.workspace_id is not None and whole else text
    if parsed.workspace_id is None and not whole:
        return text
    owner = parsed.workspace_id if parsed.workspace_id is None or not whole else uuid4()
    return str(GlobalId(parsed.type, uuid4(), owner))
