"""An S3 server for tests: it checks signatures, fails on demand, and can rotate its keys."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import uvicorn
from starlette.requests import Request
from starlette.responses import Response

BUCKET = "pictures"
REGION = "eu-test-1"

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>(?P<day>\d{8})/(?P<region>[^/]+)/s3/aws4_request), ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_PAGE = 2


@dataclass(slots=True)
class S3Server:
    """`failing` is how it answers every request while it is set, or the next `failures` ones: a status, or silence.

    `seen` are the requests it took.
    """

    port: int = 0
    key: str = "key-1"
    secret: str = "secret-1"
    failing: int | Literal["silent"] | None = None
    failures: int | None = None
    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    seen: list[str] = field(default_factory=list[str])

    @property
    def options(self) -> dict[str, str]:
        """The options to open the storage with the present keys."""
        return {
            "aws_access_key_id": self.key,
            "aws_secret_access_key": self.secret,
            "aws_region": REGION,
            "aws_endpoint": f"http://127.0.0.1:{self.port}",
        }

    def rotate(self) -> None:
        """Change to new keys; the old ones are refused from now on."""
        number = int(self.key.rpartition("-")[2]) + 1
        self.key, self.secret = f"key-{number}", f"secret-{number}"

    async def __call__(self, scope: dict[str, object], receive: object, send: object) -> None:
        """The ASGI application."""
        request = Request(scope, receive)  # pyright: ignore[reportArgumentType]
        body = await request.body()
        if self.failing == "silent":
            await asyncio.Event().wait()
        response = self._failure() or self._signature_failure(request, body) or self._answer(request, body)
        response.headers["date"] = formatdate(usegmt=True)
        await response(scope, receive, send)  # pyright: ignore[reportArgumentType]

    def _failure(self) -> Response | None:
        failing = self.failing
        if self.failures is not None and self.failing is not None:
            self.failures -= 1
            if self.failures == 0:
                self.failing = self.failures = None
        return _error(failing, "Failing") if isinstance(failing, int) else None

    def _signature_failure(self, request: Request, body: bytes) -> Response | None:
        found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
        if found is None:
            return _error(403, "AccessDenied")
        if found["key"] != self.key:
            return _error(403, "InvalidAccessKeyId")
        digest = request.headers["x-amz-content-sha256"]
        is_whole = digest in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest())
        is_ours = hmac.compare_digest(_signature(self.secret, request, found), found["signature"])
        return None if is_whole and is_ours and found["region"] == REGION else _error(403, "SignatureDoesNotMatch")

    def _answer(self, request: Request, body: bytes) -> Response:
        bucket, _, key = unquote(request.scope["raw_path"].decode()).removeprefix("/").partition("/")
        query = dict(parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True))
        self.seen.append(f"{request.method} {key}")
        if bucket != BUCKET:
            return _error(404, "NoSuchBucket")
        match request.method:
            case "PUT":
                self.objects[key] = body
                return Response(headers={"etag": _etag(body)})
            case "POST" if "delete" in query:
                return self._delete_many(body)
            case "DELETE":
                self.objects.pop(key, None)
                return Response(status_code=204)
            case "GET" if not key and query.get("list-type") == "2":
                return self._list(query)
            case "GET" | "HEAD":
                if key not in self.objects:
                    return _error(404, "NoSuchKey")
                found = self.objects[key]
                headers = {"etag": _etag(found), "last-modified": formatdate(usegmt=True)}
                return Response(found, headers=headers)
            case _:
                return _error(405, "MethodNotAllowed")

    def _list(self, query: dict[str, str]) -> Response:
        """Pages of two objects, so that a client must read several."""
        after = query.get("continuation-token", "")
        matching = sorted(key for key in self.objects if key.startswith(query.get("prefix", "")) and key > after)
        page, rest = matching[:_PAGE], matching[_PAGE:]
        more = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if rest else ""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{escape(_etag(self.objects[key]))}</ETag><Size>{len(self.objects[key])}</Size></Contents>"
            for key in page
        )
        return _xml(
            f"<ListBucketResult><IsTruncated>{str(bool(rest)).lower()}</IsTruncated>{more}{contents}</ListBucketResult>"
        )

    def _delete_many(self, body: bytes) -> Response:
        named = [each.text or "" for each in ElementTree.fromstring(body).iter() if each.tag.endswith("Key")]
        for key in named:
            self.seen.append(f"DELETE {key}")
            self.objects.pop(key, None)
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in named)
        return _xml(f"<DeleteResult>{deleted}</DeleteResult>")


def _signature(secret: str, request: Request, found: re.Match[str]) -> str:
    """What whoever has the secret would have signed the request with (AWS Signature Version 4)."""
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~"))
        for name, value in parse_qsl(request.scope["query_string"].decode(), keep_blank_values=True)
    )
    headers = "".join(f"{name}:{' '.join(request.headers[name].split())}\n" for name in found["names"].split(";"))
    canonical = "\n".join(
        [
            request.method,
            request.scope["raw_path"].decode(),
            "&".join(f"{name}={value}" for name, value in pairs),
            headers,
            found["names"],
            request.headers["x-amz-content-sha256"],
        ]
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", request.headers["x-amz-date"], found["scope"], hashed])
    signing = f"AWS4{secret}".encode()
    for part in found["scope"].split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    return hmac.digest(signing, text.encode(), "sha256").hex()


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'


def _xml(text: str, status: int = 200) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{text}', status, media_type="application/xml")


def _error(status: int, code: str) -> Response:
    return _xml(f"<Error><Code>{code}</Code><Message>{code}</Message></Error>", status)


class _Server(uvicorn.Server):
    """uvicorn, leaving the signals of the test run alone."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@asynccontextmanager
async def s3_server() -> AsyncGenerator[S3Server]:
    """A running S3 with an empty bucket on a free port of this machine."""
    s3 = S3Server()
    config = uvicorn.Config(s3, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        s3.port = listener.getsockname()[1]
        running = asyncio.create_task(server.serve([listener]))
        try:
            yield s3
        finally:
            server.should_exit = True
            await running
