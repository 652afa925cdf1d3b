"""The ASGI application: Stripe's API, the pages, the controls, and the tasks that run in the background."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from sandbox.api import Api
from sandbox.clock import Clock
from sandbox.controls import Controls
from sandbox.deliveries import Deliveries
from sandbox.dependents import DEPENDENTS
from sandbox.due_work import due_time
from sandbox.faults import Faults
from sandbox.pages.authentication_page import AuthenticationPage
from sandbox.pages.checkout_page import CheckoutPage
from sandbox.pages.invoice_pages import InvoicePages
from sandbox.pages.portal_page import PortalPage
from sandbox.pages.receipt_page import ReceiptPage
from sandbox.request_log import RequestLog
from sandbox.store import Store


def create_app(database_url: str, base_url: str) -> Starlette:
    """Return the application; the database is opened when it starts. `base_url` is the address of its pages."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None]:
        store = await Store.open(database_url, base_url, DEPENDENTS, due_time)
        deliveries = Deliveries(store)
        clock = Clock(store)
        faults, requests = Faults(), RequestLog()
        app.state.api = Api(store, faults, requests)
        controls = Controls(store, clock, deliveries, faults, requests)
        pages = (
            AuthenticationPage(store),
            CheckoutPage(store),
            InvoicePages(store),
            PortalPage(store),
            ReceiptPage(store),
        )
        for part in (controls, *pages):
            app.router.routes.extend(part.routes())
        tasks = [asyncio.create_task(deliveries.run()), asyncio.create_task(clock.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await deliveries.close()
            await store.close()

    async def api(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.api(scope, receive, send)

    return Starlette(
        routes=[Route("/healthz", _healthz), Mount("/v1", app=api)],
        lifespan=lifespan,
    )


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})
