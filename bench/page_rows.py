"""What the billing page shows, on the product's tables: an organization, its owner, its usage, many transactions and invoices."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from app.accounts.people.email_syntax import parse_email
from app.accounts.people.sessions import open_session
from app.accounts.people.users import NewUser, create_user
from app.accounts.security.secrets import HashKeys
from app.db.engine import Database, Session
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.db.unit_of_work import transact
from app.ids import GlobalId, uuid7
from app.store import workspaces as workspace_store
from bench.page_usage import USAGE, fill_usage, made_at

QUERY: Final = f"""query Page($id: ID!) {{
  workspace(id: $id) {{
    id name handle
    plan {{ code name }}
    subscription {{
      plan {{ code name }} status interval seats {{ total used available }} currentPeriod {{ start end }} renewsAt cancelAtPeriodEnd
      recurringPrice {{ amount currency }} recurringTotal {{ amount currency }} pendingChange {{ kind }} version
    }}
    {USAGE}
    spend {{ period {{ start end }} spent {{ amount currency }} limit {{ amount currency }} }}
    creditBalance {{
      id available held version updatedAt
      grants {{ id source amount remaining grantedAt expiresAt }}
      transactions(first: 10) {{
        nodes {{ id sequence kind amount balanceAfter description at }}
        pageInfo {{ hasNextPage endCursor }}
      }}
    }}
    paymentMethods {{ id brand last4 expMonth expYear isDefault }}
    invoices(first: 10) {{
      nodes {{
        id number status issuedAt total {{ amount currency }} amountDue {{ amount currency }} hostedUrl pdfUrl
        lines {{ description quantity amount {{ amount currency }} }}
      }}
      pageInfo {{ hasNextPage endCursor }}
    }}
  }}
}}"""

_MEMBERS: Final = 3

_FILL: Final = (
    # of the month that was, so that what is spent in this one is a few rows whatever lies before
    "INSERT INTO credit_purchases (workspace_id, id, status, credits, price_minor, total_minor, currency, is_auto_recharge,"
    " input_hash, expires_at, charged_at, created_at, refunded_minor, disputed_minor, lost_minor, reclaimed_credits, version)"
    " SELECT :id, gen_random_uuid(), 'SUCCEEDED', 100, 500, 500, 'EUR', false, '', now(), at, at, 0, 0, 0, 0, 1"
    " FROM (SELECT now() - interval '1 minute' * n - CASE WHEN n > 5 THEN interval '40 days' ELSE interval '0' END AS at"
    " FROM generate_series(1, :rows) n) p",
    "INSERT INTO invoices (workspace_id, id, provider_id, number, status, currency, issued_at, paid_at, subtotal_minor,"
    " tax_minor, total_minor, amount_due_minor, amount_paid_minor, amount_refunded_minor, returns_looks, credit_applied_minor,"
    " lines, tax_lines, hosted_url, pdf_url, changed_at, version)"
    " SELECT :id, gen_random_uuid(), 'in_' || gen_random_uuid(), 'CF-' || n, 'PAID', 'EUR', at, at, 413, 87, 500, 0, 500, 0, 0, 0,"
    " cast(:lines AS jsonb), cast(:taxes AS jsonb), 'https://invoice.example.com/' || n, 'https://invoice.example.com/pdf/' || n,"
    " at, 2 FROM (SELECT n, now() - interval '1 hour' * (:rows - n) AS at FROM generate_series(1, :rows) n) i",
    "INSERT INTO ledger_transactions"
    " (workspace_id, sequence, kind, amount, balance_after, held_delta, held_after, description, at, seal)"
    " SELECT :id, n, CASE WHEN n % 10 = 1 THEN 'BONUS' ELSE 'USAGE' END, 1, n, 0, 0, 'Movement ' || n,"
    " now() - interval '1 minute' * (:rows - n), '' FROM generate_series(1, :rows) n",
    "INSERT INTO ledger_balances (workspace_id, available, held, sequence, version, updated_at)"
    " VALUES (:id, :rows, 0, :rows, :rows, now())",
    "INSERT INTO ledger_grants (workspace_id, id, opened_sequence, source, amount, remaining, granted_at, expires_at)"
    " SELECT :id, gen_random_uuid(), n, 'PROMOTION', 1000, 100, now(), now() + interval '1 day' * n"
    " FROM generate_series(1, 3) n",
    "INSERT INTO ledger_grants (workspace_id, id, opened_sequence, source, amount, remaining, granted_at)"
    " SELECT :id, gen_random_uuid(), n, 'PURCHASE', 100, 0, now() FROM generate_series(1, :rows) n",
    "INSERT INTO billing_accounts (workspace_id, customer_id, cards_version, created_at)"
    " VALUES (:id, 'cus_' || gen_random_uuid(), 1, now())",
    "INSERT INTO cards (workspace_id, id, provider_id, brand, last4, exp_month, exp_year, is_default, created_at)"
    " SELECT :id, gen_random_uuid(), 'pm_' || gen_random_uuid(), 'visa', '424' || n, 12, 2034, n = 1, now()"
    " FROM generate_series(1, 2) n",
)  # fmt: skip
_SUBSCRIBE: Final = (
    "INSERT INTO subscriptions (workspace_id, provider_id, status, terms_id, interval, seats, started_at, period_start, period_end,"
    " changed_at, checked_at, version) VALUES (:id, :subscription, 'ACTIVE', :terms, 'month', 5, now(), now(),"
    " now() + interval '30 days', now(), now(), 3)"
)
_RECURS: Final = (
    "INSERT INTO upcoming_invoices (workspace_id, version, asked_at, recurring_total_minor, tried_version)"
    " VALUES (:id, 3, now(), 9500, 3)"
)
_LINES: Final = (
    '[{"description": "Standard pack", "quantity": 1, "unit_amount_minor": 500, "amount_minor": 500, "price_id": "price_1",'
    ' "period_start": null, "period_end": null, "is_proration": false},'
    ' {"description": "Discount", "quantity": 1, "unit_amount_minor": 0, "amount_minor": 0, "price_id": null,'
    ' "period_start": null, "period_end": null, "is_proration": false}]'
)
_TAXES: Final = '[{"name": "VAT", "percent": "21", "amount_minor": 87}]'


@dataclass(frozen=True, slots=True)
class Page:
    """A page to be asked for: the token of who asks, and of what workspace."""

    token: str
    workspace_id: UUID
    personal_id: UUID
    handle: str

    @property
    def variables(self) -> dict[str, str]:
        """The query's variables."""
        return self.variables_named("id")

    def variables_named(self, name: str) -> dict[str, str]:
        """The workspace's id by this name."""
        return {name: str(GlobalId("Workspace", self.workspace_id))}


async def fill(database: Database, rows: int, terms_id: str | None = None) -> Page:
    """An organization with so many transactions and invoices, which subscribes to five seats of these terms, if any are given."""

    async def make(session: Session) -> Page:
        people = [
            await create_user(
                session,
                HashKeys(secrets.token_bytes(32)),
                NewUser(parse_email(f"page{number}@{uuid7()}.example"), None),
            )
            for number in range(_MEMBERS)
        ]
        workspace_id = uuid7()
        handle = f"page-{workspace_id.hex[-12:]}"
        await workspace_store.claim_handle(session, handle, workspace_id)
        await workspace_store.add(
            session,
            WorkspaceRow(
                id=workspace_id, kind="ORGANIZATION", name="Page", handle=handle, created_by=people[0].id,
                created_at=made_at(session.now), version=1,
            ),
        )  # fmt: skip
        for number, person in enumerate(people):
            role = "MEMBER" if number else "OWNER"
            await workspace_store.add_member(
                session,
                MembershipRow(workspace_id=workspace_id, user_id=person.id, role=role, joined_at=session.now),
            )
        for statement in _FILL:
            given = {"id": workspace_id, "rows": rows, "lines": _LINES, "taxes": _TAXES}
            await session.execute(text(statement), {name: given[name] for name in given if f":{name}" in statement})
        if terms_id is not None:
            await session.execute(
                text(_SUBSCRIBE), {"id": workspace_id, "terms": terms_id, "subscription": f"sub_{handle}"}
            )
            await session.execute(text(_RECURS), {"id": workspace_id})
        await fill_usage(session, workspace_id, terms_id)
        opened = await open_session(session, people[0].id, "bench")
        return Page(opened.token, workspace_id, people[0].personal_workspace_id, handle)

    return await transact(database, make)
