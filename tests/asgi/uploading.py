"""An upload to the toy schema, whole, and how to send it."""

from __future__ import annotations

import hashlib
from tempfile import SpooledTemporaryFile
from typing import Any

import httpx
import pytest

from tests.asgi.conftest import GRAPHQL, Client
from tests.support.multipart import CONTENT_TYPE, PREFLIGHT, a_field, a_file, body_of

KEEP = "mutation ($input: FileInput!) { keep(draft: $input) }"
ONE = {"input": {"file": None}}
TWO = {"input": {"file": None, "others": [None, None]}}
OPERATIONS = a_field("operations", {"query": KEEP, "variables": ONE})
MAP = a_field("map", {"0": ["variables.input.file"]})
FILE = a_file("0", b"content")
WHOLE = body_of(OPERATIONS, MAP, FILE)
TOKEN = {"authorization": "Bearer good-token"}
HEADER = {PREFLIGHT: "1"}
COOKIE = {"cookie": "counterfoil_session=s3cret"}


def kept(name: str, data: bytes) -> str:
    return f"{name} {hashlib.sha256(data).hexdigest()}"


async def send(client: Client, body: Any, content_type: str = CONTENT_TYPE, **headers: str) -> httpx.Response:
    """Send it as a program with credentials and the header; `headers` add to that."""
    all_headers = {**TOKEN, **HEADER, "content-type": content_type, "accept": GRAPHQL, **headers}
    return await client.http.post("/graphql", content=body, headers=all_headers)


def files_of(client: Client) -> list[Any]:
    return [file for context in client.contexts.made for file in context.files]


def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The files that are opened for uploads from now on."""
    opened: list[Any] = []

    def opening(*arguments: Any, **options: Any) -> Any:
        opened.append(SpooledTemporaryFile(*arguments, **options))  # noqa: SIM115  # whether it is closed is the question
        return opened[-1]

    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", opening)
    return opened
