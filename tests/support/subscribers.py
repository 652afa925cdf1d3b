"""Somebody who subscribes by the API: through the page on which a first paid plan is bought, and previews of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from app.accounts.access.audit_log import SYSTEM
from app.accounts.access.callers import UserCaller
from app.accounts.access.workspace_access import WorkspaceAccess, workspace_for
from app.billing.subscriptions.planner import WantedChange
from app.db.engine import Session
from app.flows.subscriptions.checkout import CheckoutRequest, open_checkout
from app.flows.subscriptions.sync import sync_subscription
from app.payments.gateway_values import ReturnUrls
from tests.support.running_backend import Person, RunningBackend

PREVIEW = """query ($input: SubscriptionChangeInput!) { subscriptionChangePreview(input: $input) {
  timing effectiveAt dueNow { amount currency } subtotal { amount } tax { amount } creditApplied { amount }
  lines { description quantity amount { amount } isProration period { start end } }
  recurringPrice { amount currency } recurringTotal { amount } quote quoteExpiresAt
  userErrors { code message path } } }"""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody, and the product they use."""

    backend: RunningBackend
    person: Person

    async def preview(self, **wanted: object) -> dict[str, Any]:
        """What a change would come to."""
        given = {"workspaceId": self.person.workspace, **wanted}
        data = await self.backend.api.query(PREVIEW, {"input": given}, token=self.person.token)
        return data["subscriptionChangePreview"]

    async def subscribe(self, wanted: WantedChange, card: str = "pm_card_visa") -> None:
        """Buy a first paid plan on its page."""
        context = self.backend.parts.flow_context
        caller = UserCaller(self.person.user_id, None)

        async def authorize(session: Session) -> WorkspaceAccess:
            return await workspace_for(session, caller, self.person.workspace_id)

        async def count(session: Session) -> None: ...

        request = CheckoutRequest(
            self.person.workspace_id, wanted, uuid4().hex, lambda: ReturnUrls("http://x.test", "http://x.test"), SYSTEM
        )
        url = await open_checkout(context, request, authorize, count)
        paid = await self.backend.api.http.post(url, data={"card": card, "country": "NL", "name": "A", "line1": "B", "city": "C", "postal_code": "1"}, follow_redirects=False)
        assert paid.status_code == 303, paid.text
        assert await sync_subscription(context, self.person.workspace_id) is not None
