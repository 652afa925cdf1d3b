"""Multipart requests written by hand, so that every part of them can be wrong."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

BOUNDARY = "a-boundary-of-ours"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
PREFLIGHT = "graphql-require-preflight"


def a_field(name: str, value: object) -> bytes:
    """A part without a filename; what is no bytes is written as JSON."""
    data = value if isinstance(value, bytes) else orjson.dumps(value)
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data


def a_file(name: str, data: bytes, *, filename: str = "a file", media_type: str = "image/png") -> bytes:
    """A part with a file."""
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {media_type}\r\n\r\n'
    return head.encode() + data


def body_of(*parts: bytes) -> bytes:
    """A whole body of these parts."""
    between = f"--{BOUNDARY}".encode()
    return b"".join(between + b"\r\n" + part + b"\r\n" for part in parts) + between + b"--\r\n"


def upload_body(query: str, data: bytes, *, variables: Mapping[str, object], path: str, **more: str) -> bytes:
    """An operation with one file at `path` of its variables; `more` says its filename and media type."""
    operations = {"query": query, "variables": variables}
    return body_of(a_field("operations", operations), a_field("map", {"0": [path]}), a_file("0", data, **more))
