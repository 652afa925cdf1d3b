"""The bank's page that a cardholder is sent to: authentication completed or failed."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox import dependents as settling
from sandbox.errors import Json, StripeError, invalid, missing
from sandbox.ids import kind_of
from sandbox.pages.layout import button, money, page, paragraph
from sandbox.resources.payments import payment_intents, setup_intents
from sandbox.store import Store, Transaction


class AuthenticationPage:
    """GET and POST /authenticate/{intent}?client_secret=…; the form posts `outcome` = `complete` or `fail`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the page's routes."""
        path = "/authenticate/{id}"
        return [Route(path, self.show, methods=["GET"]), Route(path, self.answer, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """Show what is to be authenticated."""
        try:
            async with self._store.read() as tx:
                intent = await _addressed(tx, request)
        except StripeError as error:
            return _refusal(error)
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

    async def answer(self, request: Request) -> Response:
        """Complete or fail, then lead back to the return URL if there is one."""
        outcome = (await request.form()).get("outcome")
        try:
            if outcome not in ("complete", "fail"):
                raise invalid("outcome must be complete or fail", param="outcome")
            async with self._store.write() as tx:
                intent = await _addressed(tx, request)
                module = payment_intents if intent["object"] == "payment_intent" else setup_intents
                intent, error = await module.authenticate(tx, intent["id"], succeeded=outcome == "complete")
                await settling.follow(tx, intent)
        except StripeError as error:
            return _refusal(error)
        if intent["_return_url"]:
            return RedirectResponse(_back(intent), 303)
        text = "Authentication complete." if error is None and outcome == "complete" else "Authentication failed."
        declined = paragraph(str(error), "error") if error and outcome == "complete" else ""
        return page(text, declined + paragraph(f"The status is now {intent['status']}. You can close this window."))


async def _addressed(tx: Transaction, request: Request) -> Json:
    intent_id = request.path_params["id"]
    kind = kind_of(intent_id)
    if kind not in ("payment_intent", "setup_intent"):
        raise missing("payment_intent", intent_id)
    intent = await tx.get(kind, intent_id)
    if not secrets.compare_digest(
        request.query_params.get("client_secret", "").encode(), intent["client_secret"].encode()
    ):
        raise missing(kind, intent_id)
    return intent


def _back(intent: Json) -> str:
    url: str = intent["_return_url"]
    name = intent["object"]
    query = urlencode({name: intent["id"], f"{name}_client_secret": intent["client_secret"]})
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _refusal(error: StripeError) -> Response:
    return page("This page can't be shown", paragraph(str(error), "error"), error.status)
