"""Counting what was used: many events in one statement, each once, and then paying for what goes past the plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog
from sqlalchemy.exc import IntegrityError

from app.billing.allowances.limits import limit_of
from app.billing.allowances.usage_periods import usage_period
from app.billing.subscriptions.given_plans import is_in_force
from app.billing.subscriptions.kept_terms import find_terms
from app.billing.subscriptions.lapsed_plans import follow_lapsed
from app.billing.subscriptions.workspace_plan import fallback_terms, known_terms
from app.catalog import Catalog, PlanTerms
from app.db.engine import Database, Session
from app.db.reads import Reads, read_many
from app.db.unit_of_work import transact
from app.error_codes import ErrorCode
from app.errors import Unavailable
from app.metering.paying import pay_usage
from app.metering.subjects import subject_ids
from app.metering.usage_events import (
    WARN_AT,
    Judged,
    RecordedUsage,
    RejectedEvent,
    UsageEvent,
    id_fault,
    judge,
    workspace_fault,
)
from app.store import usage_ingest as usage_ingest_store
from app.store import usage_states as usage_state_store
from app.store.usage_ingest import (
    CountedGroup,
    CountedWorkspace,
    EventToCount,
    Inserted,
    NewState,
)

_ATTEMPTS: Final = 3
_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


async def record_usage(database: Database, catalog: Catalog, events: Sequence[UsageEvent]) -> RecordedUsage:
    """Count events, at most `MOST_EVENTS`, and pay for what goes past the plans.

    What is rejected is told by its place, and the rest is kept. An event whose id was counted before is a duplicate whatever else
    is in it. When this returns, what was accepted is counted for good; what could not be paid by then is paid by the worker.

    Raises `Unavailable` where workspaces were erased, or their periods moved, each time that it was tried.
    """
    for attempt in range(_ATTEMPTS):
        batch = await _prepare(database, catalog, events)
        try:
            inserted = await _count(database, batch)
        except IntegrityError as error:
            # a workspace was erased since it was looked up
            if attempt + 1 == _ATTEMPTS or not _is_of_erased(error):
                raise
            continue
        if inserted.counted is not None:
            await _pay(database, catalog, inserted.owing)
            return batch.result(inserted, accepted=len(inserted.counted))
    raise Unavailable


@dataclass(slots=True)
class _Batch:
    """The events of a call: those to be counted, and those that are not.

    `subjects` are those of the former, by (workspace, name), each with its place, from 1. `repeated` is how many have the id of an
    earlier one of this call. `refused` are those that can't be counted, each with its workspace and id, by which it is known where
    it was counted before; `nameless` are those of which one of the two is missing.
    """

    events: list[EventToCount] = field(default_factory=list[EventToCount])
    groups: list[CountedGroup] = field(default_factory=list[CountedGroup])
    states: list[NewState] = field(default_factory=list[NewState])
    subjects: dict[tuple[UUID, str], int] = field(default_factory=dict[tuple[UUID, str], int])
    repeated: int = 0
    refused: list[tuple[RejectedEvent, tuple[UUID, str]]] = field(
        default_factory=list[tuple[RejectedEvent, tuple[UUID, str]]]
    )
    nameless: list[RejectedEvent] = field(default_factory=list[RejectedEvent])

    def result(self, inserted: Inserted, *, accepted: int) -> RecordedUsage:
        """What became of all events."""
        known = set(inserted.known)
        rejected = [refused for place, (refused, _) in enumerate(self.refused, 1) if place not in known]
        return RecordedUsage(
            accepted=accepted,
            duplicates=len(self.events) - accepted + self.repeated + len(known),
            rejected=sorted((*self.nameless, *rejected), key=lambda each: each.index),
        )


async def _prepare(database: Database, catalog: Catalog, events: Sequence[UsageEvent]) -> _Batch:
    batch = _Batch()
    workspaces = await _workspaces(database, events)
    now = database.clock.now()
    judged: dict[tuple[UUID, str], Judged] = {}
    for index, event in enumerate(events):
        workspace = _named(event, workspaces)
        fault = workspace_fault(event) or id_fault(event.event_id)
        if fault is not None:
            batch.nameless.append(RejectedEvent(index, ErrorCode.INVALID_INPUT, fault))
        elif workspace is None:
            message = "There is no such workspace."
            batch.nameless.append(RejectedEvent(index, ErrorCode.UNKNOWN_WORKSPACE, message))
        elif (name := (workspace.id, event.event_id)) in judged:
            batch.repeated += 1
        elif isinstance(found := judge(event, index, catalog, now), RejectedEvent):
            batch.refused.append((found, name))
        else:
            judged[name] = found
    counted = {each.id: each for each in workspaces.values()}
    await _fill(database, catalog, batch, judged, counted, now)
    return batch


async def _workspaces(database: Database, events: Iterable[UsageEvent]) -> Mapping[UUID | str, CountedWorkspace]:
    """The workspaces that the events name, by id or external id."""
    ids = {event.workspace_id for event in events if event.workspace_id is not None}
    external_ids = {event.external_id.strip() for event in events if event.external_id is not None}
    found: dict[UUID | str, CountedWorkspace] = {}
    if ids:
        rows = await read_many(database, usage_ingest_store.COUNTED_BY_ID, sorted(ids))
        found.update((row.id, row) for row in rows)
    if external_ids:
        rows = await read_many(database, usage_ingest_store.COUNTED_BY_EXTERNAL_ID, sorted(external_ids))
        found.update((row.external_id, row) for row in rows if row.external_id is not None)
    return found


def _named(event: UsageEvent, workspaces: Mapping[UUID | str, CountedWorkspace]) -> CountedWorkspace | None:
    if event.workspace_id is not None:
        return workspaces.get(event.workspace_id)
    return workspaces.get(event.external_id.strip()) if event.external_id is not None else None


async def _fill(
    database: Database,
    catalog: Catalog,
    batch: _Batch,
    judged: Mapping[tuple[UUID, str], Judged],
    workspaces: Mapping[UUID, CountedWorkspace],
    now: datetime,
) -> None:
    """Put what is to be counted into the batch, by workspace, resource and period."""
    wanted = {workspace_id: workspaces[workspace_id] for workspace_id, _ in judged}
    terms = await _terms(database, catalog, wanted, now)
    await _follow_lapsed(database, catalog, wanted.values(), terms)
    running = {workspace_id: usage_period(workspace, now) for workspace_id, workspace in wanted.items()}
    batch.states += [
        NewState(each, terms[each].id, period.end, wanted[each].usage_anchored_at) for each, period in running.items()
    ]
    places: dict[tuple[UUID, str, datetime], int] = {}
    for (workspace_id, event_id), event in judged.items():
        period, code = running[workspace_id], event.resource.code
        # what is dated before a workspace was made, by another clock say, is of its first period
        occurred_at = max(event.occurred_at, wanted[workspace_id].created_at)
        if not period.start <= occurred_at < period.end:
            period = usage_period(wanted[workspace_id], occurred_at)
        place = places.setdefault((workspace_id, code, period.start), len(places) + 1)
        if place > len(batch.groups):
            limit = limit_of(catalog, terms[workspace_id].plan, code)
            batch.groups.append(CountedGroup(workspace_id, code, *period, *limit, event.resource.is_gauge))
        subject = None
        if event.subject is not None:
            subject = batch.subjects.setdefault((workspace_id, event.subject), len(batch.subjects) + 1)
        # of levels the order counts
        moment = event.occurred_at if event.resource.is_gauge else occurred_at
        batch.events.append(EventToCount(place, event_id, event.quantity, moment, subject))


async def _terms(
    database: Database, catalog: Catalog, workspaces: Mapping[UUID, CountedWorkspace], now: datetime
) -> Mapping[UUID, PlanTerms]:
    """The terms that each workspace is on now."""
    fallback = fallback_terms(catalog)
    reads = Reads(database)
    found: dict[str, PlanTerms] = {}
    terms: dict[UUID, PlanTerms] = {}
    for workspace in workspaces.values():
        terms_id = workspace.terms_id
        if terms_id is None or not is_in_force(workspace, now):
            terms[workspace.id] = fallback
            continue
        if terms_id not in found:
            found[terms_id] = known_terms(catalog, terms_id, await find_terms(reads, catalog, terms_id))
        terms[workspace.id] = found[terms_id]
    return terms


async def _follow_lapsed(
    database: Database, catalog: Catalog, workspaces: Iterable[CountedWorkspace], terms: Mapping[UUID, PlanTerms]
) -> None:
    """Move the limits of workspaces whose plan has ended by the clock, before anything is counted against them."""
    for workspace in workspaces:
        if workspace.followed not in (None, terms[workspace.id].id):
            await transact(
                database,
                lambda session, each=workspace.id: follow_lapsed(session, catalog, each),
                step="usage.follow",
            )


async def _count(database: Database, batch: _Batch) -> Inserted:
    if not batch.events and not batch.refused:
        return Inserted([], [], [], [], [])

    async def work(session: Session) -> Inserted:
        ids = await subject_ids(session, batch.subjects)
        return await usage_ingest_store.count_events(
            session,
            batch.events,
            batch.groups,
            batch.states,
            subjects=[ids.get(name) for name in batch.subjects],
            warn_at=WARN_AT,
            asked=[name for _, name in batch.refused],
        )

    inserted = await transact(database, work, step="usage.count")
    # after the commit: a hint within the transaction would make all commits of the database wait for each other
    await database.hints.publish([usage_state_store.hint(each) for each in inserted.workspaces])
    return inserted


async def _pay(database: Database, catalog: Catalog, owing: Sequence[UUID]) -> None:
    try:
        await pay_usage(database, catalog, owing)
    except Exception as error:
        # what was counted stays counted, and the worker pays for it
        _log.warning("usage.not_paid_yet", workspaces=len(owing), exc_info=error)


def _is_of_erased(error: IntegrityError) -> bool:
    driver = error.orig.__cause__ if error.orig is not None else None
    return isinstance(driver, asyncpg.ForeignKeyViolationError)
