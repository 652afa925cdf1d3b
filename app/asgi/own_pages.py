"""The few pages of our own: where mailed links and hosted payments lead, for products that have none, and the scalars."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from app.asgi import invitation_page, reset_page, scalar_page, verification_page
from app.asgi.page_frame import Page, respond

_DONE = Page("That's it", "<p>You can close this page and go back to where you came from.</p>")

_HOSTED_PAGE = re.compile(r"cs_[A-Za-z0-9_]{1,250}")

Returned = Callable[[str], Awaitable[None]]

_PAGES = {
    "/verify-email": verification_page.PAGE,
    "/reset-password": reset_page.PAGE,
    "/accept-invitation": invitation_page.PAGE,
    "/scalars": scalar_page.PAGE,
}


def page_routes(returned: Returned, *, leads_to_explorer: bool) -> list[BaseRoute]:
    """`/done` after a hosted payment; `/verify-email`, `/reset-password` and `/accept-invitation` for mailed links; `/scalars`, to
    which the schema's scalars point; if wanted, `/`, which leads to the explorer.

    `returned` is told from which hosted page a customer comes back.
    """

    async def done(request: Request) -> Response:
        page_id = request.query_params.get("page", "")
        if _HOSTED_PAGE.fullmatch(page_id):
            await returned(page_id)
        return respond(_DONE)

    async def root(_request: Request) -> Response:
        # relative, since a proxy may serve us under a path
        return RedirectResponse("graphql")

    routes: list[BaseRoute] = [Route("/done", done)]
    routes += [Route(path, _shows(page)) for path, page in _PAGES.items()]
    return [*routes, Route("/", root)] if leads_to_explorer else routes


def _shows(page: Page) -> Callable[[Request], Awaitable[Response]]:
    async def show(_request: Request) -> Response:
        return respond(page)

    return show
