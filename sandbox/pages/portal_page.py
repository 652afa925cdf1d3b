"""The billing portal: a customer's subscriptions, cards, details and invoices, as far as its configuration offers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.errors import StripeError, invalid_request
from sandbox.objects import Json
from sandbox.pages.layout import page, page_route, paragraph
from sandbox.pages.portal_sections import sections
from sandbox.pages.secret_urls import get_by_secret
from sandbox.resources.payment_methods.payment_method_object import card_from_params, create_payment_method
from sandbox.resources.portal import portal_actions as actions
from sandbox.resources.portal.portal_sessions import use_session
from sandbox.store import Store, Transaction

_ACTIONS: dict[str, Callable[[Transaction, Json, Json, Json], Awaitable[None]]] = {
    "cancel": actions.cancel_subscription,
    "renew": actions.renew_subscription,
    "make_default": actions.make_default,
    "remove_card": actions.remove_card,
    "update_details": actions.update_details,
    "add_tax_id": actions.add_tax_id,
    "remove_tax_id": actions.remove_tax_id,
}


class PortalPage:
    """GET and POST /portal/{session}/{secret}; a form posts `action` and what it needs, and is answered with 303 to the page."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Return the page's routes."""
        path = "/portal/{id}/{secret}"
        return [page_route("GET", path, self.show), page_route("POST", path, self.act)]

    async def show(self, request: Request) -> Response:
        """Show what the configuration offers."""
        async with self._store.write() as tx:
            session = await get_by_secret(tx, request, "billing_portal.session", "_secret")
            await use_session(tx, session)
            return await _page(tx, session)

    async def act(self, request: Request) -> Response:
        """Do what a form of the page asks for."""
        form = await request.form()
        given: Json = {name: str(value).strip() for name, value in form.items()}
        try:
            async with self._store.write() as tx:
                session = await get_by_secret(tx, request, "billing_portal.session", "_secret")
                await use_session(tx, session)
                url = await _act(tx, session, given)
        except StripeError as error:
            async with self._store.read() as tx:
                session = await get_by_secret(tx, request, "billing_portal.session", "_secret")
                return await _page(tx, session, error)
        return RedirectResponse(url, 303)


async def _act(tx: Transaction, session: Json, given: Json) -> str:
    """Do one action; return the address to go on at. Raises StripeError for what can't be done, and of it nothing is done."""
    configuration = await tx.get("billing_portal.configuration", session["configuration"])
    features = configuration["features"]
    name = given.get("action", "")
    if name == "add_card":
        reference = given.get("card", "")
        card: Json = {"token" if reference.startswith(("pm_card_", "tok_")) else "number": reference}
        params: Json = {"type": "card", "card": card}
        method = await create_payment_method(tx, card_from_params(params), params)
        intent, error = await actions.add_card(tx, session, features, method)
        if error is not None:
            raise error
        if intent["next_action"]:
            return str(intent["next_action"]["redirect_to_url"]["url"])
        return str(session["url"])
    if name not in _ACTIONS:
        raise invalid_request("This is no action of the portal.", param="action")
    await _ACTIONS[name](tx, session, features, given)
    return str(session["url"])


async def _page(tx: Transaction, session: Json, error: StripeError | None = None) -> Response:
    configuration = await tx.get("billing_portal.configuration", session["configuration"])
    customer = await tx.get("customer", session["customer"])
    headline = configuration["business_profile"]["headline"]
    body = (
        (paragraph(str(error), "error") if error else "")
        + (paragraph(headline) if headline else "")
        + await sections(tx, session, customer, configuration["features"])
    )
    return page("Billing", body, error.status if error else 200)
