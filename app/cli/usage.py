"""`usage …`: what was counted of a workspace's usage, put right or erased by an operator."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated
from uuid import UUID

import typer

from app.cli.command_context import with_backend
from app.cli.command_error import CommandError
from app.db.engine import Session
from app.db.reads import all_in
from app.db.unit_of_work import transact
from app.errors import NotFound
from app.ids import parse_global_id
from app.main import Backend
from app.metering.subject_erasure import ErasedSubject, erase_subject
from app.metering.subjects import checked_subject
from app.store import workspaces as workspace_store
from app.store.workspaces import SeenWorkspace
from app.wording import count

commands = typer.Typer(help="What was counted of usage.", no_args_is_help=True)


@commands.callback()
def usage_group() -> None:
    """What was counted of usage."""


@commands.command("erase-subject")
def usage_erase_subject(
    workspace: Annotated[str, typer.Argument(help="The workspace's handle, its id, or its id in the host product.")],
    subject: Annotated[str, typer.Argument(help="The subject, as the host product calls it.")],
) -> None:
    """Erase who or what used something: its name, what is told of its use, and its levels of gauges, by which these fall.

    What was counted and spent stays, as nobody's. Do this once the host product no longer names the subject: one that is named
    again is kept again.
    """

    async def work(backend: Backend) -> str:
        name = checked_subject(subject) or ""

        async def erase(session: Session) -> str:
            found = await found_workspace(session, workspace)
            erased = await erase_subject(session, found.id, name)
            if erased is None:
                raise CommandError(f"{found.handle} has no subject {name!r}.")
            return _told(found.handle, erased)

        return await transact(backend.runtime.database, erase, step="subject.erase")

    print(with_backend(work))


async def found_workspace(session: Session, name: str) -> SeenWorkspace:
    """The workspace with this handle, id (as the API writes it or as `ledger verify` does) or external id.

    Raises `CommandError` where there is none, and where the name is the handle of one and the external id of another.
    """
    text = name.strip()
    found = {each.id: each for each in await all_in(session, workspace_store.BY_HANDLE, [text.lower()])}
    found |= {each.id: each for each in await all_in(session, workspace_store.BY_EXTERNAL_ID, [text])}
    with suppress(ValueError):
        found |= {each.id: each for each in await all_in(session, workspace_store.BY_ID, [UUID(text)])}
    with suppress(NotFound):
        parsed = parse_global_id(text)
        if parsed.type == "Workspace" and isinstance(parsed.id, UUID):
            found |= {each.id: each for each in await all_in(session, workspace_store.BY_ID, [parsed.id])}
    if not found:
        raise CommandError(f"There is no workspace with the handle, id or external id {name!r}.")
    if len(found) > 1:
        raise CommandError(
            f"{name!r} is the handle of one workspace and the external id of another. Name it by its id."
        )
    return next(iter(found.values()))


def _told(handle: str, erased: ErasedSubject) -> str:
    """What was erased, in sentences."""
    lines = [
        f"The subject of {handle} is erased, and what was told of its use: {count(erased.counted, 'line')} of counters."
    ]
    if erased.gauges:
        lines.append(f"Gauges fell by its levels: {', '.join(erased.gauges)}.")
    if erased.dues:
        lines.append(
            f"{count(erased.dues, 'amount')} that it used and that is yet to be paid will be paid as nobody's."
        )
    return "\n".join(lines)
