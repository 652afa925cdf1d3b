"""What the queue's tasks do: which flow each of them calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import UUID

from app.accounts.people import password_changes
from app.accounts.security.secrets import Keys
from app.billing.moves import plan_refunds
from app.billing.payments.card_mirror import DEFAULT_CARD_CHANGED
from app.billing.payments.customer_states import FORMER_CUSTOMER
from app.billing.payments.details_sync import TAX_COUNTRY_CHANGED
from app.billing.payments.invoice_mirror import INVOICE_PAID
from app.billing.subscriptions import owner_notices
from app.billing.subscriptions.subscription_states import REFRESH_UPCOMING, VOID_UNPAID
from app.db.engine import Session
from app.db.unit_of_work import transact
from app.flows import provider_events
from app.flows.flow_context import FlowContext
from app.flows.purchases.former_customers import end_purchases_with
from app.flows.subscriptions.default_card import apply_default_card
from app.flows.subscriptions.endings import void_unpaid
from app.flows.subscriptions.sync import sync_subscription
from app.flows.subscriptions.upcoming import refresh_upcoming
from app.jobs.job_consumer import Task
from app.messages.mail import SEND_MAIL, Mailer, decrypt, deliver


def tasks(
    flow_context: FlowContext, mailer: Mailer, keys: Keys, *, public_url: str, operator_address: str | None
) -> dict[str, Task]:
    """The tasks by the names under which they are enqueued; mailed links lead to `public_url`.

    `operator_address` is who is mailed what operators have to look after, None for nobody.
    """

    async def send_mail(arguments: Mapping[str, str]) -> None:
        await deliver(mailer, arguments, keys.mail)

    async def provider_event(arguments: Mapping[str, str]) -> None:
        await provider_events.process(flow_context, arguments["event_id"])

    async def mail_reset_link(arguments: Mapping[str, str]) -> None:
        address = decrypt(arguments, keys.mail)
        await password_changes.mail_reset_link(flow_context.database, keys, address, public_url=public_url)

    async def former_customer(arguments: Mapping[str, str]) -> None:
        workspace_id, customer_id = UUID(arguments["workspace_id"]), arguments["customer_id"]
        await end_purchases_with(flow_context, workspace_id, customer_id)
        # the customer's subscription ended with it
        await sync_subscription(flow_context, workspace_id)

    async def default_card_changed(arguments: Mapping[str, str]) -> None:
        await apply_default_card(flow_context, UUID(arguments["workspace_id"]))

    async def tax_country_changed(arguments: Mapping[str, str]) -> None:
        # which lets it be taxed at the rates of the country
        await sync_subscription(flow_context, UUID(arguments["workspace_id"]))

    async def void_unpaid_invoices(arguments: Mapping[str, str]) -> None:
        await void_unpaid(flow_context, UUID(arguments["workspace_id"]), arguments["subscription_id"])

    async def next_bill_changed(arguments: Mapping[str, str]) -> None:
        await refresh_upcoming(flow_context, UUID(arguments["workspace_id"]))

    async def owner_notice(arguments: Mapping[str, str]) -> None:
        await _in_one_unit(
            flow_context, lambda session: owner_notices.mail_owners(session, keys, arguments), "notice.mail"
        )

    async def failed_refund(arguments: Mapping[str, str]) -> None:
        await _in_one_unit(
            flow_context,
            lambda session: plan_refunds.mail_failed(session, keys, arguments, operator_address),
            "plan_refund.mail",
        )

    async def invoice_paid(arguments: Mapping[str, str]) -> None:
        await _in_one_unit(flow_context, lambda session: owner_notices.tell_of_paid(session, arguments), "notice.paid")

    return {
        SEND_MAIL: send_mail,
        plan_refunds.MAIL_FAILED_REFUND: failed_refund,
        password_changes.MAIL_RESET_LINK: mail_reset_link,
        provider_events.TASK: provider_event,
        FORMER_CUSTOMER: former_customer,
        DEFAULT_CARD_CHANGED: default_card_changed,
        TAX_COUNTRY_CHANGED: tax_country_changed,
        VOID_UNPAID: void_unpaid_invoices,
        REFRESH_UPCOMING: next_bill_changed,
        owner_notices.OWNER_NOTICE: owner_notice,
        INVOICE_PAID: invoice_paid,
    }


async def _in_one_unit(flow_context: FlowContext, work: Callable[[Session], Awaitable[None]], step: str) -> None:
    await transact(flow_context.database, work, step=step)
