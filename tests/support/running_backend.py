"""The whole product in this process: real PostgreSQL, the real sandbox, a real server on loopback, and the worker."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import uvicorn
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy import select

from app.accounts.access.api_keys import create_service_key
from app.accounts.access.permissions import ApiScope
from app.db.engine import Database, Session
from app.db.tables.subscriptions import SubscriptionRow
from app.db.unit_of_work import transact
from app.ids import GlobalId
from app.main import Backend, open_backend, set_up_provider, web_app, work
from app.settings import Settings
from app.store import billing_accounts as billing_account_store
from tests.support import operations
from tests.support.accounts import SECRET_KEY, new_address, new_person, quick_passwords, texted_codes
from tests.support.client import Api, eventually
from tests.support.databases import cloned_url
from tests.support.sandbox import SandboxProcess
from tests.support.sandbox_controls import SandboxControls

CATALOGS = Path(__file__).parents[2] / "catalogs"


class GivenSettings(Settings):
    """Settings in which the environment of the test run has no part."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone signed in, and their personal workspace: `workspace` is its id in the API, `workspace_id` in the database."""

    address: str
    token: str
    user_id: UUID
    workspace_id: UUID

    @property
    def workspace(self) -> str:
        """The id of the personal workspace as the API gives it."""
        return str(GlobalId("Workspace", self.workspace_id))


@dataclass(slots=True)
class RunningBackend:
    """A running product: `parts` are those in this process, `api` speaks to it as a client, `sandbox` controls its Stripe."""

    catalog: str
    parts: Backend
    api: Api
    sandbox: SandboxControls
    sandbox_process: SandboxProcess

    @property
    def database(self) -> Database:
        """The product's database, with its clock."""
        return self.parts.runtime.database

    async def sign_up(
        self, *, address: str | None = None, with_phone: bool | None = None, with_trial: bool = False
    ) -> Person:
        """Someone new with a verified address, on the fallback plan unless they come `with_trial`, as others do where there is one.

        `with_phone` verifies a phone, by default where the catalog asks for one.
        """
        trials = self.parts.runtime.trials if with_trial else None
        made = await new_person(self.database, address=address or new_address(), milestones=trials)
        [email] = (await self.api.query(operations.OWN_ADDRESSES, token=made.token))["viewer"]["emails"]
        person = Person(email["address"], made.token, made.user.id, made.user.personal_workspace_id)
        if self.parts.runtime.catalog.phone_required if with_phone is None else with_phone:
            await self.verify_phone(person)
        return person

    async def verify_phone(self, person: Person) -> None:
        """Verify a number of their own for their workspace."""
        number = f"+316{10_000_000 + secrets.randbelow(40_000_000)}"
        given = {"workspaceId": person.workspace, "phoneNumber": number}
        sent = await self.api.query(operations.SEND_PHONE_VERIFICATION, {"input": given}, token=person.token)
        assert sent["sendPhoneVerification"]["userErrors"] == []
        given["code"] = (await texted_codes(self.database, number))[0]
        verified = await self.api.query(operations.VERIFY_PHONE, {"input": given}, token=person.token)
        assert verified["verifyPhone"]["userErrors"] == []

    async def cards(self, person: Person) -> list[dict[str, Any]]:
        """The cards on file, the default one first."""
        data = await self.api.query(operations.CARDS, {"id": person.workspace}, token=person.token)
        return data["workspace"]["paymentMethods"]

    async def add_card(self, person: Person, card: str = "pm_card_visa") -> str:
        """Save a test card as a browser does, wait until the product shows it, and return its id."""
        before = {each["id"] for each in await self.cards(person)}
        given = {"input": {"workspaceId": person.workspace}}
        begun = (await self.api.query(operations.ADD_CARD, given, token=person.token))["addPaymentMethod"]
        assert begun["userErrors"] == []
        key = (await self.api.query(operations.PUBLISHABLE_KEY))["catalog"]["stripePublishableKey"]
        await self.sandbox.confirm_setup(begun["clientSecret"], card, key)

        async def added() -> set[str]:
            return {each["id"] for each in await self.cards(person)} - before

        return (await eventually(added)).pop()

    async def service_key(self, *scopes: ApiScope) -> str:
        """A key of the host product with these scopes."""

        async def create(session: Session) -> str:
            return (await create_service_key(session, "a test", scopes))[1]

        return await transact(self.database, create)

    async def api_key(self, owner: Person, *scopes: ApiScope, name: str = "a test") -> dict[str, Any]:
        """The payload of `createApiKey`, which must succeed: a key of the owner's workspace with these scopes."""
        given = {"workspaceId": owner.workspace, "name": name, "scopes": [scope.value for scope in scopes]}
        data = await self.api.query(operations.CREATE_API_KEY, {"input": given}, token=owner.token)
        assert data["createApiKey"]["userErrors"] == []
        return data["createApiKey"]

    async def recharge(self, person: Person, *, key: str | None = None, **order: object) -> dict[str, Any]:
        """The payload of `rechargeCredits` for what `order` says, or else for the first pack or for 10.00 where there are none."""
        packs = self.parts.runtime.catalog.packs
        usual = {"packCode": packs[0].code} if packs else {"amount": "10.00"}
        chosen = order if {"packCode", "amount"} & order.keys() else {**usual, **order}
        given = {"workspaceId": person.workspace, "idempotencyKey": key or uuid4().hex, **chosen}
        data = await self.api.query(operations.RECHARGE, {"input": given}, token=person.token)
        return data["rechargeCredits"]

    async def grant(self, person: Person, amount: str, **more: object) -> dict[str, Any]:
        """The payload of `grantCredits`, which must succeed: a promotion, unless `more` says otherwise."""
        given = {"workspaceId": person.workspace, "amount": amount, "source": "PROMOTION", "description": "Welcome"}
        given = {**given, "idempotencyKey": uuid4().hex, **more}
        token = await self.service_key(ApiScope.OPERATOR)
        granted = (await self.api.query(operations.GRANT, {"input": given}, token=token))["grantCredits"]
        assert granted["userErrors"] == []
        return granted

    async def purchase(self, purchase_id: str, person: Person) -> dict[str, Any]:
        """A purchase as it stands."""
        return (await self.api.query(operations.PURCHASE, {"id": purchase_id}, token=person.token))["node"]

    async def invoices(self, person: Person) -> list[dict[str, Any]]:
        """The invoices as they stand, the newest first."""
        data = await self.api.query(operations.INVOICES, {"id": person.workspace}, token=person.token)
        return data["workspace"]["invoices"]["nodes"]

    async def history(self, person: Person, **arguments: object) -> dict[str, Any]:
        """A page of the credit transactions."""
        data = await self.api.query(operations.HISTORY, {"id": person.workspace, **arguments}, token=person.token)
        return data["workspace"]["creditBalance"]["transactions"]

    async def stripe_invoices(self, person: Person) -> list[dict[str, Any]]:
        """What Stripe has of the person's invoices, drafts too, the newest first."""
        async with self.database.read() as session:
            account = await billing_account_store.find(session, person.workspace_id)
        if account is None or account.customer_id is None:
            return []
        return await self.sandbox.listed("/v1/invoices", customer=account.customer_id)

    async def charges(self, person: Person) -> list[dict[str, Any]]:
        """The charges of the person's cards that succeeded."""
        async with self.database.read() as session:
            account = await billing_account_store.find(session, person.workspace_id)
        if account is None or account.customer_id is None:
            return []
        charges = await self.sandbox.listed("/v1/charges", customer=account.customer_id)
        return [charge for charge in charges if charge["status"] == "succeeded"]

    async def advance(self, duration: str) -> None:
        """Move the product's and the sandbox's time forward by an ISO 8601 duration, and let what falls due happen."""
        answer = await self.api.http.post(f"{self.api.url}/dev/clock", json={"advance": duration})
        assert answer.status_code == 200, answer.text

    async def end_subscriptions(self) -> None:
        """End what anybody subscribes to, at Stripe."""
        async with self.database.read() as session:
            live = select(SubscriptionRow.provider_id).where(SubscriptionRow.provider_id.is_not(None))
            provider_ids = (await session.scalars(live)).all()
        for provider_id in provider_ids:
            # a test may have written a row of its own that Stripe does not know, or ended it already
            with suppress(httpx.HTTPStatusError):
                await self.sandbox.delete(f"/v1/subscriptions/{provider_id}")

    async def deduct(self, person: Person, amount: object, **more: object) -> dict[str, Any]:
        """The payload of `deductCredits` for `amount`."""
        given = {"workspaceId": person.workspace, "amount": amount, "description": "A test", **more}
        given.setdefault("idempotencyKey", uuid4().hex)
        token = await self.service_key(ApiScope.CREDITS_WRITE)
        return (await self.api.query(operations.DEDUCT, {"input": given}, token=token))["deductCredits"]

    async def balance(self, person: Person) -> dict[str, Any]:
        """The credit balance with its grants."""
        data = await self.api.query(operations.BALANCE, {"id": person.workspace}, token=person.token)
        return data["workspace"]["creditBalance"]


class _Server(uvicorn.Server):
    """uvicorn, leaving the signals of the test run alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def running_backend(server_url: str, catalog: str, **settings: object) -> AsyncGenerator[RunningBackend]:
    """Run the product on a database of its own with a shipped catalog; rate limits are off unless `settings` say otherwise."""
    async with cloned_url(server_url) as database_url:
        process = SandboxProcess(database_url)
        await asyncio.to_thread(process.start)
        try:
            with socket.socket() as listener:
                listener.bind(("127.0.0.1", 0))
                chosen: dict[str, Any] = {
                    "port": listener.getsockname()[1],
                    "sandbox_port": urlsplit(process.url).port,
                    "catalog": CATALOGS / f"{catalog}.toml",
                    "rate_limits": "off",
                    "storage_url": "memory:///",
                    # tests that have events dropped mean that nobody learns of them by himself
                    "event_check_seconds": 0,
                    **settings,
                }
                async with _running(GivenSettings(**chosen), database_url, listener) as backend, _http() as http:
                    api = Api(backend.settings.base_url, http)
                    yield RunningBackend(catalog, backend, api, SandboxControls(process.url, http), process)
        finally:
            await asyncio.to_thread(process.stop)


@asynccontextmanager
async def _running(settings: Settings, database_url: str, listener: socket.socket) -> AsyncGenerator[Backend]:
    async with open_backend(settings, database_url, SECRET_KEY) as backend:
        backend.runtime = replace(backend.runtime, passwords=quick_passwords())
        server = _Server(
            uvicorn.Config(
                web_app(backend),
                loop="none",
                ws="websockets-sansio",
                log_config=None,
                proxy_headers=False,
                timeout_keep_alive=600,
            )
        )
        stopping = asyncio.Event()
        tasks: Sequence[asyncio.Task[None]] = (
            asyncio.create_task(server.serve(sockets=[listener])),
            asyncio.create_task(work(backend, stopping)),
        )
        try:
            await set_up_provider(backend)
            yield backend
        finally:
            stopping.set()
            backend.ending.set()
            server.should_exit = True
            await asyncio.gather(*tasks)


def _http() -> httpx.AsyncClient:
    # many callers at once each get a connection, as many programs would
    return httpx.AsyncClient(timeout=120.0, limits=httpx.Limits(max_connections=None))
