"""Stripe's API under /v1: authentication, validation, idempotency, and one transaction around each call."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from typing import cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.calls import Call, Route
from sandbox.errors import StripeError, internal_error, invalid_request, secret_key_required, unauthorized
from sandbox.events import API_VERSION
from sandbox.expansion import render
from sandbox.faults import Fault, Faults, drop_connection
from sandbox.form_encoding import decode_form
from sandbox.idempotency import MAX_LENGTH, Answer, KeysInFlight, fingerprint, store_answer, stored_answer
from sandbox.ids import new_id
from sandbox.objects import Json
from sandbox.request_log import RequestLog
from sandbox.routes import ROUTES
from sandbox.store import Store, Transaction
from sandbox.validation import check_supported, validate

log = logging.getLogger("sandbox")

MAX_BODY_BYTES = 1_000_000

# what Stripe.js sends in addition to the parameters of a call
_STRIPE_JS_PARAMS = frozenset({"client_secret", "key", "payment_user_agent", "time_on_page", "guid", "muid", "sid"})


class Api:
    """The ASGI application of Stripe's API."""

    def __init__(self, store: Store, faults: Faults, requests: RequestLog) -> None:
        self._store = store
        self._faults = faults
        self._requests = requests
        self._keys = KeysInFlight()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        request_id = new_id("req")
        idempotency_key = request.headers.get("idempotency-key") if request.method == "POST" else None
        path = request.url.path
        entry = self._requests.add(request.method, path, idempotency_key)
        fault: Fault | None = None
        try:
            body = await _read_body(request)
            with self._keys.hold(idempotency_key):
                fault = self._faults.use(request.method, path)
                entry["fault"] = fault.kind if fault else None
                if fault and fault.kind == "drop_before":
                    await drop_connection(receive)
                    return
                if fault and fault.kind == "hang":
                    await self._faults.hang(fault.seconds)
                if fault and fault.kind == "error_500":
                    raise internal_error()
                answer = await self._answer(request, body, request_id, idempotency_key)
        except StripeError as error:
            answer = _error_answer(error, request_id)
        except Exception:
            log.exception("%s %s failed", request.method, path)
            answer = _error_answer(internal_error(), request_id)
        entry["status"] = answer.status
        entry["replayed"] = answer.request_id != request_id
        if fault and fault.kind == "drop_after":
            await drop_connection(receive)
            return
        await _response(answer, request_id, idempotency_key)(scope, receive, send)

    async def _answer(self, request: Request, body: bytes, request_id: str, idempotency_key: str | None) -> Answer:
        publishable = _authenticate(request, body)
        version = request.headers.get("stripe-version", API_VERSION)
        if version != API_VERSION:
            raise invalid_request(f"Invalid Stripe API version: {version}; the sandbox speaks {API_VERSION} only")
        if idempotency_key is not None and len(idempotency_key) > MAX_LENGTH:
            raise invalid_request(f"Idempotency keys can have up to {MAX_LENGTH} characters")
        path = request.url.path
        route, ids = _match_route(request.method, path)
        if publishable and not route.publishable:
            raise secret_key_required(
                "This API call cannot be made with a publishable API key. Please use a secret API key."
            )
        given = decode_form(_encoded_params(request, body))
        extra = {name: given.pop(name) for name in _STRIPE_JS_PARAMS & given.keys()} if publishable else {}
        params = validate(route.params, given)
        check_supported(params, route.supported)
        call_params = params | ({"client_secret": extra["client_secret"]} if "client_secret" in extra else {})
        if request.method == "GET":
            async with self._store.read() as tx:
                return await _execute(Call(tx, call_params, ids, path, publishable), route, request_id)
        async with self._store.write() as tx:
            tx.request_id, tx.idempotency_key = request_id, idempotency_key
            call = Call(tx, call_params, ids, path, publishable)
            return await _execute_once(call, route, request_id, idempotency_key, fingerprint(body))


async def _execute_once(call: Call, route: Route, request_id: str, idempotency_key: str | None, digest: str) -> Answer:
    """Execute a call that writes; or return the answer it got before, if it comes again with the same key."""
    tx = call.tx
    if (
        idempotency_key is not None
        and (known := await stored_answer(tx, idempotency_key, call.path, digest)) is not None
    ):
        return known
    answer = await _execute_in_savepoint(call, route, request_id)
    if idempotency_key is not None:
        await store_answer(tx, idempotency_key, call.path, digest, answer)
    return answer


async def _execute_in_savepoint(call: Call, route: Route, request_id: str) -> Answer:
    """Execute within a savepoint, so that of a refused call only the answer for its key is kept."""
    savepoint = call.tx.connection.transaction()
    await savepoint.start()
    try:
        answer = await _execute(call, route, request_id)
    except StripeError as error:
        answer = _error_answer(await _render_objects(call.tx, error), request_id)
        if not error.keeps_changes:
            await savepoint.rollback()
            return answer
    except BaseException:
        await savepoint.rollback()
        raise
    await savepoint.commit()
    return answer


async def _execute(call: Call, route: Route, request_id: str) -> Answer:
    body = await route.handler(call)
    rendered = await render(call.tx, body, call.params.get("expand", []))
    return Answer(200, json.dumps(rendered), request_id)


async def _render_objects(tx: Transaction, error: StripeError) -> StripeError:
    """Render the objects that a card error shows, as they are after the attempt."""
    for name, value in error.error.items():
        if isinstance(value, dict):
            error.error[name] = await render(tx, cast("Json", value), [])
    return error


def _error_answer(error: StripeError, request_id: str) -> Answer:
    shown = error.error | {"request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}
    return Answer(error.status, json.dumps({"error": shown}), request_id)


async def _read_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise StripeError(413, "invalid_request_error", "Request entity too large")
    return body


def _encoded_params(request: Request, body: bytes) -> bytes:
    """Return the parameters as they were sent: a POST has them in its body, other methods in the query."""
    return body if request.method == "POST" else request.url.query.encode()


def _authenticate(request: Request, body: bytes) -> bool:
    """Return whether the API key is a publishable one. Raises a 401 for one that is missing or not accepted."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    api_key = credentials.strip()
    if scheme.lower() == "basic":
        try:
            api_key = base64.b64decode(api_key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            api_key = ""
    elif not api_key:
        api_key = str(decode_form(_encoded_params(request, body)).get("key", ""))
    if not api_key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header."
        )
    if api_key.startswith("sk_test_"):
        return False
    if api_key.startswith("pk_test_"):
        return True
    raise unauthorized(f"Invalid API Key provided: {api_key[:8]}{'*' * 8}")


def _match_route(method: str, path: str) -> tuple[Route, dict[str, str]]:
    for route in ROUTES:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route, match.groupdict()
    raise StripeError(
        404,
        "invalid_request_error",
        f"Unrecognized request URL ({method}: {path}). The sandbox implements a part of Stripe's API only.",
    )


def _response(answer: Answer, request_id: str, idempotency_key: str | None) -> Response:
    headers: Json = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key
    if answer.request_id != request_id:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": answer.request_id}
    return Response(answer.body, answer.status, headers, "application/json")
