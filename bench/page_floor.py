"""The floor of the billing page: written by hand for this page, one statement with the check of rights in it, and nothing else.

`python -m bench.page_floor PORT`, with `DATABASE_URL` in the environment. Its answer is the product's, byte for byte.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.ids import GlobalId, parse_global_id

_PAGE: Final = """
WITH seen AS MATERIALIZED (
    SELECT w.id, w.name, w.handle, w.version AS workspace_version FROM sessions s
    JOIN memberships m ON m.user_id = s.user_id AND m.workspace_id = $2 AND m.role = 'OWNER'
    JOIN workspaces w ON w.id = m.workspace_id
    WHERE s.token_hash = $1 AND s.last_seen_at >= $3
), period AS MATERIALIZED (
    SELECT (
        SELECT max(period_start) FROM usage_counters WHERE workspace_id = seen.id AND period_start <= $6
    ) AS start FROM seen
)
SELECT seen.name, seen.handle,
    (SELECT count(*) FROM memberships WHERE workspace_id = seen.id) AS members,
    (SELECT monthly_spend_limit_minor FROM billing_accounts WHERE workspace_id = seen.id) AS spend_limit,
    (SELECT coalesce(sum(coalesce(total_minor, price_minor)), 0)::bigint FROM (
        SELECT id, total_minor, price_minor FROM credit_purchases
        WHERE workspace_id = seen.id AND charged_at >= $4 AND charged_at < $5
        UNION SELECT id, total_minor, price_minor FROM credit_purchases
        WHERE workspace_id = seen.id AND status IN ('PENDING', 'ACTION_REQUIRED') AND pay_sent_at IS NOT NULL
    ) charged) AS spent,
    ARRAY(SELECT r FROM (
        SELECT s.status, s.interval, s.seats, s.period_start, s.period_end, s.ends_at, s.pending::text,
            s.version + workspace_version, u.recurring_total_minor
        FROM subscriptions s LEFT JOIN upcoming_invoices u ON u.workspace_id = s.workspace_id AND u.version = s.version
        WHERE s.workspace_id = seen.id
    ) r) AS subscription,
    ARRAY(SELECT r FROM (
        SELECT available, held, version, updated_at FROM ledger_balances WHERE workspace_id = seen.id
    ) r) AS balance,
    ARRAY(SELECT r FROM (
        SELECT id, source, amount, remaining, granted_at, expires_at FROM ledger_grants
        WHERE workspace_id = seen.id AND is_open ORDER BY expires_at, granted_at, id
    ) r) AS grants,
    ARRAY(SELECT r FROM (
        SELECT sequence, kind, amount, balance_after, description, at FROM ledger_transactions
        WHERE workspace_id = seen.id ORDER BY sequence DESC LIMIT 11
    ) r) AS transactions,
    ARRAY(SELECT r FROM (
        SELECT id, brand, last4, exp_month, exp_year, is_default FROM cards
        WHERE workspace_id = seen.id ORDER BY is_default DESC, created_at, id
    ) r) AS cards,
    ARRAY(SELECT r FROM (
        SELECT id, number, status, issued_at, total_minor, amount_due_minor, currency, hosted_url, pdf_url, lines::text
        FROM invoices WHERE workspace_id = seen.id AND issued_at IS NOT NULL ORDER BY issued_at DESC, id DESC LIMIT 11
    ) r) AS invoices,
    (SELECT version FROM usage_states WHERE workspace_id = seen.id) AS usage_version,
    ARRAY(SELECT r FROM (
        SELECT resource, used, overage, unpaid, charged, allowance, period_start, period_end FROM usage_counters
        WHERE workspace_id = seen.id AND period_start = period.start
    ) r) AS counters,
    ARRAY(SELECT r FROM (
        SELECT g.resource, g.level, (
            SELECT trim_scale(used)::text FROM usage_days
            WHERE workspace_id = seen.id AND resource = g.resource AND period_start < period.start
            ORDER BY period_start DESC, day DESC LIMIT 1
        ) FROM usage_gauges g WHERE g.workspace_id = seen.id
    ) r) AS gauges,
    ARRAY(SELECT r FROM (
        SELECT resource, array_agg(to_char(day, 'YYYY-MM-DD"T00:00:00Z"')), array_agg(trim_scale(used)::text) FROM usage_days
        WHERE workspace_id = seen.id AND period_start = period.start GROUP BY resource
    ) r) AS days
FROM seen, period
"""
_CURRENCY: Final = "EUR"
_NOTHING: Final = Decimal(0)
_LEVELS: Final = (
    (Decimal(1), "EXCEEDED"),
    (Decimal("0.95"), "CRITICAL"),
    (Decimal("0.8"), "WARNING"),
    (_NOTHING, "NORMAL"),
)


def _money(minor: int) -> dict[str, str]:
    whole, cents = divmod(minor, 100)
    return {"amount": f"{whole}.{cents:02}", "currency": _CURRENCY}


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _page_info(rows: Sequence[Any], last_cursor: str) -> dict[str, Any]:
    return {"hasNextPage": len(rows) > 10, "endCursor": last_cursor}


def _time(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None


def _balance(workspace_id: UUID, row: Any) -> dict[str, Any]:
    [(available, held, version, updated_at)] = row["balance"]
    transactions = row["transactions"]
    return {
        "id": str(GlobalId("CreditBalance", workspace_id)),
        "available": str(available),
        "held": str(held),
        "version": str(version),
        "updatedAt": _time(updated_at),
        "grants": [
            {
                "id": str(GlobalId("CreditGrant", grant_id, workspace_id)),
                "source": source,
                "amount": str(amount),
                "remaining": str(remaining),
                "grantedAt": _time(granted_at),
                "expiresAt": _time(expires_at),
            }
            for grant_id, source, amount, remaining, granted_at, expires_at in row["grants"]
        ],
        "transactions": {
            "nodes": [
                {
                    "id": str(GlobalId("CreditTransaction", UUID(int=sequence), workspace_id)),
                    "sequence": str(sequence),
                    "kind": kind,
                    "amount": str(amount),
                    "balanceAfter": str(balance_after),
                    "description": description,
                    "at": _time(at),
                }
                for sequence, kind, amount, balance_after, description, at in transactions[:10]
            ],
            "pageInfo": _page_info(transactions, _cursor(str(transactions[:10][-1][0]))),
        },
    }


def _subscription(row: Any, plan: dict[str, str], seat_minor: int) -> dict[str, Any]:
    [(status, interval, seats, start, end, ends_at, pending, version, recurring)] = row["subscription"]
    used = min(seats, row["members"])
    return {
        "plan": plan,
        "status": status,
        "interval": interval.upper(),
        "seats": {"total": seats, "used": used, "available": max(0, seats - row["members"])},
        "currentPeriod": {"start": _time(start), "end": _time(end)},
        "renewsAt": _time(end) if ends_at is None else None,
        "cancelAtPeriodEnd": ends_at is not None,
        "recurringPrice": _money(seat_minor * seats),
        "recurringTotal": _money(recurring) if recurring is not None else None,
        "pendingChange": {"kind": orjson.loads(pending)["kind"]} if pending is not None else None,
        "version": str(version),
    }


def _plain(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")


def _usage(workspace_id: UUID, row: Any, resources: Sequence[Sequence[Any]], now: datetime) -> dict[str, Any]:
    counters = {counter[0]: counter[1:] for counter in row["counters"]}
    gauges = {resource: (level, before) for resource, level, before in row["gauges"]}
    days = {resource: dict(zip(own, used, strict=True)) for resource, own, used in row["days"]}
    *_, start, end = next(iter(counters.values()))
    first = start.date()
    dates = [f"{first + timedelta(days=number)}T00:00:00Z" for number in range((now.date() - first).days + 1)]
    bars: list[dict[str, Any]] = []
    for code, name, is_gauge, limit_text in resources:
        own = days[code]
        if is_gauge:
            used, at = gauges[code]
            limit, charged = Decimal(limit_text), 0
            overage = unpaid = max(_NOTHING, used - limit)
            series = [at := own.get(day, at) for day in dates]
            series[-1] = _plain(used)
        else:
            used, overage, unpaid, charged, limit, _, _ = counters[code]
            series = [own.get(day, "0") for day in dates]
        ratio = used / limit
        bars.append(
            {
                "id": str(GlobalId("UsageBar", code, workspace_id)),
                "resource": {"code": code, "name": name},
                "used": _plain(used),
                "limit": _plain(limit),
                "remaining": _plain(max(_NOTHING, limit - used)),
                "ratio": float(ratio),
                "level": next(level for from_ratio, level in _LEVELS if ratio >= from_ratio),
                "overage": _plain(overage),
                "creditsSpent": str(charged),
                "unpaidOverage": _plain(unpaid),
                "resetsAt": None if is_gauge else _time(end),
                "series": [{"day": day, "used": each} for day, each in zip(dates, series, strict=True)],
            }
        )
    return {
        "id": str(GlobalId("Usage", workspace_id)),
        "period": {"start": _time(start), "end": _time(end)},
        "version": str(row["usage_version"] + start.year * 12 + start.month),
        "bars": bars,
    }


def _invoices(workspace_id: UUID, rows: Sequence[Any]) -> dict[str, Any]:
    last = rows[:10][-1]
    return {
        "nodes": [
            {
                "id": str(GlobalId("Invoice", invoice_id, workspace_id)),
                "number": number,
                "status": status,
                "issuedAt": _time(issued_at),
                "total": _money(total),
                "amountDue": _money(due),
                "hostedUrl": hosted_url,
                "pdfUrl": pdf_url,
                "lines": [
                    {
                        "description": line["description"],
                        "quantity": line["quantity"],
                        "amount": _money(line["amount_minor"]),
                    }
                    for line in orjson.loads(lines)
                ],
            }
            for invoice_id, number, status, issued_at, total, due, _currency, hosted_url, pdf_url, lines in rows[:10]
        ],
        "pageInfo": _page_info(rows, _cursor(f"{last[3].isoformat()}|{last[0].hex}")),
    }


def floor(
    url: str, plan: dict[str, Any], seat_minor: int, limit_minor: int | None, resources: Sequence[Sequence[Any]]
) -> Starlette:
    """The application, with what the catalog says of the plan."""
    pool: asyncpg.Pool

    async def without_reset(_connection: Any) -> None:
        """Nothing is left behind that would have to be reset, which would be one more round trip."""

    @asynccontextmanager
    async def connected(_app: Starlette) -> AsyncGenerator[None]:
        nonlocal pool
        async with asyncpg.create_pool(url, min_size=4, max_size=8, reset=without_reset) as pool:
            yield

    async def page(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        token = request.headers["authorization"].removeprefix("Bearer ")
        workspace_id = parse_global_id(asked["variables"]["id"]).id
        assert isinstance(workspace_id, UUID)
        now = datetime.now(UTC)
        start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        end = (start + timedelta(days=32)).replace(day=1)
        digest = hashlib.sha256(token.encode()).digest()
        async with cast("Any", pool).acquire() as connection:
            row: Any = await connection.fetchrow(_PAGE, digest, workspace_id, now - timedelta(days=30), start, end, now)
        if row is None:
            return Response(b'{"data":{"workspace":null}}', media_type="application/json")
        limit = row["spend_limit"] if row["spend_limit"] is not None else limit_minor
        answer = {
            "id": asked["variables"]["id"],
            "name": row["name"],
            "handle": row["handle"],
            "plan": plan,
            "subscription": _subscription(row, plan, seat_minor),
            "usage": _usage(workspace_id, row, resources, now),
            "spend": {
                "period": {"start": _time(start), "end": _time(end)},
                "spent": _money(row["spent"]),
                "limit": _money(limit) if limit is not None else None,
            },
            "creditBalance": _balance(workspace_id, row),
            "paymentMethods": [
                {
                    "id": str(GlobalId("PaymentMethod", card_id, workspace_id)),
                    "brand": brand,
                    "last4": last4,
                    "expMonth": exp_month,
                    "expYear": exp_year,
                    "isDefault": is_default,
                }
                for card_id, brand, last4, exp_month, exp_year, is_default in row["cards"]
            ],
            "invoices": _invoices(workspace_id, row["invoices"]),
        }
        return Response(orjson.dumps({"data": {"workspace": answer}}), media_type="application/json")

    return Starlette(routes=[Route("/graphql", page, methods=["POST"])], lifespan=connected)


def main(port: int) -> None:
    """Serve until killed."""
    app = floor(os.environ["DATABASE_URL"], *orjson.loads(os.environ["PLAN"]))
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]))
