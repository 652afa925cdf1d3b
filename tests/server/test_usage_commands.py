"""`counterfoil usage …`: what an operator erases of what was counted."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from app.clock import Clock
from app.db.engine import Database, Session, connect
from app.db.tables.workspaces import WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import GlobalId
from app.metering.ingest import record_usage
from app.metering.usage_events import UsageEvent
from tests.metering.workspace import catalog
from tests.support.accounts import Person, new_person
from tests.support.leftovers import rows_naming
from tests.support.server import run_command


async def _used(database: Database, workspace_id: UUID, name: str) -> None:
    """A subject that used a counter and has a level of a gauge."""
    events = [
        UsageEvent(workspace_id, None, resource, Decimal(2), uuid4().hex, None, name)
        for resource in ("enrichments", "storage")
    ]
    assert (await record_usage(database, catalog(), events)).accepted == 2


async def _external_id(database: Database, person: Person, external_id: str) -> None:
    async def work(session: Session) -> None:
        theirs = WorkspaceRow.id == person.user.personal_workspace_id
        await session.execute(update(WorkspaceRow).where(theirs).values(external_id=external_id))

    await transact(database, work)


@pytest.mark.parametrize("by", ["handle", "id", "raw id", "external id"])
async def test_a_subject_is_erased_by_any_name_of_its_workspace(database_url: str, by: str) -> None:
    database, environment = Database(connect(database_url), Clock()), {"DATABASE_URL": database_url}
    person, name = await new_person(database), f"agent-{uuid4().hex[:12]}"
    workspace_id = person.user.personal_workspace_id
    await _external_id(database, person, external_id := f"tenant/{uuid4().hex}")
    await _used(database, workspace_id, name)
    workspace = {
        "handle": person.user.handle.upper(),
        "id": str(GlobalId("Workspace", workspace_id)),
        "raw id": str(workspace_id),
        "external id": external_id,
    }[by]

    erased = run_command("usage", "erase-subject", workspace, f" {name} ", environment=environment)
    again = run_command("usage", "erase-subject", workspace, name, environment=environment)

    assert erased.returncode == 0, erased.stderr
    assert f"The subject of {person.user.handle} is erased" in erased.stdout
    assert "1 line of counters" in erased.stdout
    assert "Gauges fell by its levels: storage." in erased.stdout
    assert (again.returncode, again.stderr.strip()) == (2, f"{person.user.handle} has no subject '{name}'.")
    assert await rows_naming(database, [name]) == []
    await database.close()


async def test_a_name_of_two_workspaces_and_one_of_none_are_told_and_nothing_is_erased(database_url: str) -> None:
    database, environment = Database(connect(database_url), Clock()), {"DATABASE_URL": database_url}
    one, other, name = await new_person(database), await new_person(database), f"agent-{uuid4().hex[:12]}"
    await _external_id(database, other, one.user.handle)
    for person in (one, other):
        await _used(database, person.user.personal_workspace_id, name)

    both = run_command("usage", "erase-subject", one.user.handle, name, environment=environment)
    nobody = run_command("usage", "erase-subject", "nobody-like-this", name, environment=environment)
    no_name = run_command("usage", "erase-subject", other.user.handle, " ", environment=environment)

    assert (both.returncode, "Name it by its id." in both.stderr) == (2, True), both.stderr
    assert (nobody.returncode, "There is no workspace" in nobody.stderr) == (2, True), nobody.stderr
    assert (no_name.returncode, no_name.stderr.strip()) == (2, "A subject can't be empty.")
    assert len([row for row in await rows_naming(database, [name]) if row.startswith("public.usage_subjects:")]) == 2
    await database.close()


async def test_what_was_counted_is_corrected_and_said_in_sentences(database_url: str) -> None:
    database, environment = Database(connect(database_url), Clock()), {"DATABASE_URL": database_url}
    person = await new_person(database)
    handle = person.user.handle
    await _used(database, person.user.personal_workspace_id, "ada")

    given = "--reason", "Reported by a test run", "--subject", "ada"
    less = run_command("usage", "correct", handle, "enrichments", "-0.5", *given, environment=environment)
    refused = run_command("usage", "correct", handle, "enrichments", "-9", *given, environment=environment)
    wrong = run_command("usage", "correct", handle, "enrichments", "much", *given, environment=environment)

    assert less.returncode == 0, less.stderr
    assert less.stdout.startswith(f"Enrichments of {handle} from ")
    assert less.stdout.rstrip().endswith("2 before, 1.5 now.")
    assert (refused.returncode, refused.stderr.strip()) == (2, "Only 1.5 were counted in this period.")
    assert (wrong.returncode, wrong.stderr.strip()) == (2, "'much' is no quantity: write it like 25, or like -25.")
    await database.close()
