"""The page that hosted payments lead back to where the host product names none of its own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Done</title></head>
<body><main><h1>That's it</h1><p>You can close this page and go back to where you came from.</p></main></body>
</html>
"""


def done_routes() -> list[BaseRoute]:
    """`/done`: says that the customer may go back."""

    async def done(_request: Request) -> Response:
        return HTMLResponse(_PAGE)

    return [Route("/done", done)]
