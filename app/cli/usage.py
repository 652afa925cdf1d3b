"""`usage …`: what was counted of a workspace's usage, put right or erased by an operator."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import typer

from app.accounts.security.text_input import one_line
from app.cli.arguments import moment, signed_amount
from app.cli.command_context import with_backend
from app.cli.command_error import CommandError
from app.db.engine import Session
from app.db.reads import all_in
from app.db.unit_of_work import transact
from app.errors import DomainError, NotFound
from app.ids import parse_global_id
from app.main import Backend
from app.metering.corrections import CorrectedUse, correct_use
from app.metering.paying import pay_usage
from app.metering.subject_erasure import ErasedSubject, erase_subject
from app.metering.subjects import checked_subject
from app.money import CreditUnit
from app.store import workspaces as workspace_store
from app.store.workspaces import SeenWorkspace
from app.wording import count

_MOST_REASON_CHARACTERS: Final = 200

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


# so that a negative quantity is no option that does not exist
@commands.command("correct", context_settings={"ignore_unknown_options": True})
def usage_correct(
    workspace: Annotated[str, typer.Argument(help="The workspace's handle, its id, or its id in the host product.")],
    resource: Annotated[str, typer.Argument(help="The resource's code in the catalog.")],
    change: Annotated[str, typer.Argument(help="How much more was used, such as 25, or less, such as -25.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for the audit log.")],
    at: Annotated[str | None, typer.Option("--at", help="When it was used: a date or time. By default now.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Who or what used it.")] = None,
) -> None:
    """Correct what was counted of a resource, in the period in which it was used.

    More is paid for as if it were used now. Credits that had paid for what is taken back pay for what goes past the plan next in
    that period; give them back with the grantCredits mutation where there will be nothing.
    """

    async def work(backend: Backend) -> str:
        database, catalog = backend.runtime.database, backend.runtime.catalog

        async def correct(session: Session) -> CorrectedUse:
            return await correct_use(
                session,
                catalog,
                found.id,
                resource=resource,
                change=_quantity(change),
                at=moment(at, session.now) if at is not None else session.now,
                reason=one_line(reason, "A reason", at_most=_MOST_REASON_CHARACTERS),
                subject=checked_subject(subject),
            )

        # what is counted already is paid first, so that what a correction frees is known
        async with database.read() as session:
            found = await found_workspace(session, workspace)
        await pay_usage(database, catalog, [found.id])
        try:
            corrected = await transact(database, correct, step="usage.correct")
        except DomainError as refused:
            raise CommandError(refused.message) from None
        await pay_usage(database, catalog, [found.id])
        return _corrected(found.handle, corrected, catalog.credit_unit)

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


def _quantity(text: str) -> Decimal:
    try:
        return signed_amount(text)
    except CommandError:
        raise CommandError(f"{text!r} is no quantity: write it like 25, or like -25.") from None


def _corrected(handle: str, corrected: CorrectedUse, unit: CreditUnit) -> str:
    """What a correction changed, in sentences."""
    start, end = (f"{time.astimezone(UTC):%Y-%m-%d %H:%M}" for time in corrected.period)
    before, after = (f"{quantity.normalize():,f}" for quantity in (corrected.before, corrected.after))
    lines = [f"{corrected.resource.name} of {handle} from {start} to {end} UTC: {before} before, {after} now."]
    if corrected.paid_back:
        paid = unit.text(corrected.paid_back)
        lines.append(
            f"{paid} had paid for what is taken back: they pay for what goes past the plan next in this period."
        )
    return "\n".join(lines)
