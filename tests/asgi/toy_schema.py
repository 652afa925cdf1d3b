"""A small schema with every kind of resolver, so that the protocol is tested without the product."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import BinaryIO, NewType

import strawberry
from graphql import GraphQLError
from starlette.datastructures import UploadFile
from strawberry.schema.config import StrawberryConfig
from strawberry.types import Info

from app.asgi.graphql.transport_context import RequestInfo, SetCookie
from app.errors import InvalidInput, NotFound, Unauthenticated


@strawberry.type
class Balance:
    """A state that is handed to every subscriber as the same object, and counts how often it was executed."""

    reads: strawberry.Private[int] = 0

    @strawberry.field
    def amount(self) -> int:
        self.reads += 1
        return 100

    # one that waited for nothing and failed would be called again by graphql-core, which tells what went wrong
    @strawberry.field
    async def secret(self) -> str | None:
        self.reads += 1
        raise NotFound


@dataclass(eq=False)
class ToyContext:
    """Remembers what happened to it."""

    request: RequestInfo
    cookies: list[SetCookie] = field(default_factory=list[SetCookie])
    is_authenticated: bool = False
    share_key: str | None = None
    balance: Balance = field(default_factory=Balance)
    failure: RuntimeError = field(default_factory=RuntimeError)
    is_closed: bool = False
    files: list[BinaryIO] = field(default_factory=list[BinaryIO])
    events: int = 0
    """Counted by a source; -1 once it was closed before its context, -2 if after."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Shared by all contexts of a factory: set when one is closed."""

    async def aclose(self) -> None:
        self.is_closed = True
        self.closed.set()


@dataclass(eq=False)
class ToyContexts:
    """The context factory: knows one token; keeps every context it made; raises `fault` instead, once there is one."""

    made: list[ToyContext] = field(default_factory=list[ToyContext])
    share_key: str | None = None
    balance: Balance = field(default_factory=Balance)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    fault: Exception | None = None

    async def __call__(self, request: RequestInfo) -> ToyContext:
        if self.fault is not None:
            raise self.fault
        if request.bearer_token not in (None, "good-token"):
            raise Unauthenticated
        authenticated = request.bearer_token is not None or request.session_cookie is not None
        context = ToyContext(
            request,
            is_authenticated=authenticated,
            share_key=self.share_key and f"{self.share_key} {request.bearer_token}",
            balance=self.balance,
            closed=self.closed,
        )
        self.made.append(context)
        return context


def parse_amount(value: object) -> Decimal:
    if not isinstance(value, str):
        raise GraphQLError("Amount must be a string.")
    try:
        return Decimal(value)
    except InvalidOperation:
        raise GraphQLError("Amount is not a number.") from None


Amount = NewType("Amount", Decimal)


def parse_upload(value: object) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise GraphQLError("Upload must be a file of a multipart request.")
    return value


Upload = NewType("Upload", UploadFile)


@strawberry.type
class Line:
    text: str

    @strawberry.field
    def invoice(self) -> "Invoice":
        return Invoice(number=1)

    @strawberry.field
    def line(self) -> "Line":
        return self

    @strawberry.field
    def lines(self, first: int = 10) -> list["Line"]:
        return []


@strawberry.type
class Invoice:
    number: int

    @strawberry.field
    async def lines(self, first: int = 20) -> list[Line]:
        return [Line(text=f"line {index}") for index in range(min(first, 3))]


@strawberry.input
class NoteInput:
    text: str
    stars: int | None = None


@strawberry.input
class FileInput:
    file: Upload
    others: list[Upload | None] | None = None


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"Hello, {name}!"

    @strawberry.field
    async def later(self, seconds: float = 0) -> str:
        await asyncio.sleep(seconds)
        return "now"

    @strawberry.field
    def double(self, amount: Amount) -> Amount:
        return Amount(amount * 2)

    @strawberry.field
    def add(self, left: int, right: int = 1) -> int:
        return left + right

    @strawberry.field
    def note(self, draft: NoteInput) -> str:
        return draft.text

    @strawberry.field
    def invoice(self) -> Invoice:
        return Invoice(number=7)

    @strawberry.field
    def viewer(self, info: Info[ToyContext, None]) -> str | None:
        return "ada" if info.context.is_authenticated else None

    @strawberry.field
    def transport(self, info: Info[ToyContext, None]) -> str:
        return info.context.request.transport

    @strawberry.field
    def address(self, info: Info[ToyContext, None]) -> str:
        return info.context.request.remote_address

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("secret of ada@example.com")

    @strawberry.field
    def broken_together(self, info: Info[ToyContext, None]) -> str | None:
        raise info.context.failure

    @strawberry.field
    def broken_too(self) -> str:
        raise RuntimeError("secret of ada@example.com")

    @strawberry.field
    def wrong_type(self) -> int | None:
        return "secret of ada@example.com"  # type: ignore[return-value]

    @strawberry.field
    def missing(self) -> str | None:
        raise NotFound

    @strawberry.field
    def unacceptable(self) -> str | None:
        raise InvalidInput("The page is too large.")

    @strawberry.field
    def unreachable(self) -> str | None:
        raise ConnectionRefusedError("password=hunter2")


@strawberry.type
class Mutation:
    @strawberry.mutation
    def sign_in(self, info: Info[ToyContext, None]) -> bool:
        info.context.cookies.append(SetCookie("counterfoil_session", "s3cret", 3600))
        return True

    @strawberry.mutation
    def sign_out(self, info: Info[ToyContext, None]) -> bool:
        info.context.cookies.append(SetCookie("counterfoil_session", "", 0))
        return True

    @strawberry.mutation
    async def keep(self, info: Info[ToyContext, None], draft: FileInput) -> list[str]:
        files = [draft.file, *(each for each in draft.others or () if each is not None)]
        info.context.files.extend(each.file for each in files)
        return [f"{each.filename} {hashlib.sha256(await each.read()).hexdigest()}" for each in files]

    @strawberry.mutation
    async def keep_slowly(self, info: Info[ToyContext, None], file: Upload) -> bool:
        info.context.files.append(file.file)
        await asyncio.Event().wait()
        return True


@strawberry.type
class LiveUpdates:
    @strawberry.subscription
    async def count(self, to: int = 3, pause: float = 0) -> AsyncGenerator[int, None]:
        for number in range(1, to + 1):
            await asyncio.sleep(pause)
            yield number

    @strawberry.subscription
    async def forever(self, info: Info[ToyContext, None]) -> AsyncGenerator[int, None]:
        try:
            yield 0
            await asyncio.Event().wait()
        finally:
            info.context.events = -2 if info.context.is_closed else -1

    @strawberry.subscription
    async def balance_changed(self, info: Info[ToyContext, None]) -> AsyncGenerator[Balance, None]:
        yield info.context.balance

    @strawberry.subscription
    async def flood(self, info: Info[ToyContext, None]) -> AsyncGenerator[str, None]:
        try:
            while True:
                info.context.events += 1
                yield "x" * 10_000
        finally:
            info.context.events = -2 if info.context.is_closed else -1

    @strawberry.subscription
    async def breaks(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError("secret of ada@example.com")

    @strawberry.subscription
    async def revoked(self) -> AsyncGenerator[int, None]:
        yield 1
        raise Unauthenticated

    @strawberry.subscription
    async def forbidden(self, info: Info[ToyContext, None]) -> AsyncGenerator[int, None]:
        if not info.context.is_authenticated:
            raise NotFound
        yield 1


def plain(amount: Decimal) -> str:
    return format(amount, "f")


schema = strawberry.Schema(
    Query,
    Mutation,
    LiveUpdates,
    config=StrawberryConfig(
        scalar_map={
            Amount: strawberry.scalar(name="Amount", serialize=plain, parse_value=parse_amount),
            Upload: strawberry.scalar(name="Upload", serialize=str, parse_value=parse_upload),
        }
    ),
)
graphql_schema = schema._schema  # pyright: ignore[reportPrivateUsage]
