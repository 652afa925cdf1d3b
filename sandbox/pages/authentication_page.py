"""The bank's page to which a cardholder is sent: it completes or fails the authentication."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.currencies import money
from sandbox.errors import invalid_request, resource_missing
from sandbox.ids import kind_of
from sandbox.objects import Json
from sandbox.pages.layout import button, page, page_route, paragraph
from sandbox.resources.payments.authentication import finish_authentication
from sandbox.store import Store, Transaction


class AuthenticationPage:
    """GET and POST /authenticate/{intent}?client_secret=…; the form posts `outcome` = `complete` or `fail`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the page's routes."""
        path = "/authenticate/{id}"
        return [page_route("GET", path, self.show), page_route("POST", path, self.submit)]

    async def show(self, request: Request) -> Response:
        """Show what is to be authenticated."""
        async with self._store.read() as tx:
            intent = await _intent_of(tx, request)
        if intent["status"] != "requires_action":
            return page("Nothing to authenticate", paragraph(f"The status is {intent['status']}."))
        what = money(intent["amount"], intent["currency"]) if "amount" in intent else "Saving this card"
        form = (
            '<form method="post">'
            + button("outcome", "complete", "Complete authentication", primary=True)
            + button("outcome", "fail", "Fail authentication")
            + "</form>"
        )
        return page("3D Secure test page", paragraph(f"Your bank asks you to authenticate: {what}.") + form)

    async def submit(self, request: Request) -> Response:
        """Complete or fail the authentication, then redirect to the return URL if there is one."""
        outcome = (await request.form()).get("outcome")
        if outcome not in ("complete", "fail"):
            raise invalid_request("outcome must be complete or fail", param="outcome")
        async with self._store.write() as tx:
            intent = await _intent_of(tx, request)
            error = await finish_authentication(tx, intent, succeeded=outcome == "complete")
        if intent["_return_url"]:
            return RedirectResponse(_return_url(intent), 303)
        text = "Authentication complete." if error is None and outcome == "complete" else "Authentication failed."
        declined = paragraph(str(error), "error") if error and outcome == "complete" else ""
        return page(text, declined + paragraph(f"The status is now {intent['status']}. You can close this window."))


async def _intent_of(tx: Transaction, request: Request) -> Json:
    """Return the intent that the URL names. Raises resource_missing without the intent's client secret."""
    intent_id = request.path_params["id"]
    kind = kind_of(intent_id)
    if kind not in ("payment_intent", "setup_intent"):
        raise resource_missing("payment_intent", intent_id)
    intent = await tx.get(kind, intent_id)
    client_secret = request.query_params.get("client_secret", "")
    if not secrets.compare_digest(client_secret.encode(), intent["client_secret"].encode()):
        raise resource_missing(kind, intent_id)
    return intent


def _return_url(intent: Json) -> str:
    url: str = intent["_return_url"]
    name = intent["object"]
    query = urlencode({name: intent["id"], f"{name}_client_secret": intent["client_secret"]})
    return f"{url}{'&' if '?' in url else '?'}{query}"
