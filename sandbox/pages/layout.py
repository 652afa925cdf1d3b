"""One plain layout for all pages, and how they show an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox.errors import StripeError

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --accent: #4b45c6; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; }
h2 { font-size: 1.2rem; margin-top: 2rem; }
h3 { font-size: 1rem; }
td form { display: inline; }
table { width: 100%; border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .4rem .5rem; border-bottom: 1px solid var(--line); }
td.amount, th.amount { text-align: right; font-variant-numeric: tabular-nums; }
button { font: inherit; padding: .5rem 1rem; border: 1px solid var(--accent); border-radius: .4rem; cursor: pointer; }
button.primary { background: var(--accent); color: #fff; }
select, input { font: inherit; padding: .4rem; width: 100%; box-sizing: border-box; }
label { display: block; margin: .8rem 0; }
.note { color: #767676; font-size: .9rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.error { color: #c0392b; }
"""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """Return a page; `body` is HTML, in which the caller has escaped all values."""
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f'<body><main><h1>{escape(title)}</h1>{body}</main><p class="note">Sandbox: no real money moves here.</p>'
        "</body></html>"
    )
    return HTMLResponse(html, status, _HEADERS)


def page_route(method: str, path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return the route of a page, which shows a StripeError as a page of its own."""

    async def show_errors(request: Request) -> Response:
        try:
            return await endpoint(request)
        except StripeError as error:
            return page("This page can't be shown", paragraph(str(error), "error"), error.status)

    return Route(path, show_errors, methods=[method])


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph with the escaped text; `kind` is its CSS class."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def button(name: str, value: str, label: str, *, primary: bool = False) -> str:
    """Return a submit button that posts `name=value`."""
    kind = ' class="primary"' if primary else ""
    return f'<button{kind} name="{escape(name)}" value="{escape(value)}">{escape(label)}</button> '


def text_field(label: str, name: str, value: str = "", *, kind: str = "text") -> str:
    """Return a labelled input; `kind` is its type."""
    return (
        f'<label>{escape(label)}<input type="{kind}" name="{escape(name)}" value="{escape(value)}"'
        ' autocomplete="off"></label>'
    )


def select_field(label: str, name: str, options: Iterable[tuple[str, str]]) -> str:
    """Return a labelled list to choose from; `options` are values with their texts."""
    listed = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options)
    return f'<label>{escape(label)}<select name="{escape(name)}">{listed}</select></label>'
