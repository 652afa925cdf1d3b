"""The page that browsers get: GraphiQL from our own host, or, where its bundle was not built, a plain form."""

from __future__ import annotations

import posixpath
import secrets
from dataclasses import dataclass
from html import escape
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.asgi.graphql.graphql_settings import GraphQLSettings

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<link rel="icon" href="data:,">
<title>Counterfoil API</title>
"""

_GRAPHIQL = """<link rel="stylesheet" href="{assets}/explorer.css">
</head>
<body>
<main>
<h1 class="unseen">Counterfoil API</h1>
<div id="explorer" data-endpoint="{endpoint}">Loading GraphiQL…</div>
<noscript>GraphiQL needs JavaScript.</noscript>
</main>
<script type="module" src="{assets}/explorer.js"></script>
</body>
</html>
"""

_PLAIN_FORM = """<style nonce="{nonce}">
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
label {{ display: block; font-weight: 600; margin-top: 1rem }}
textarea {{ box-sizing: border-box; width: 100%; font: 14px/1.4 ui-monospace, monospace; padding: .5rem }}
button {{ margin: 1rem 0; padding: .5rem 1.5rem; font: inherit }}
pre {{ padding: 1rem; background: #f2f4f7; white-space: pre-wrap; overflow-wrap: anywhere }}
</style>
</head>
<body>
<main>
<h1>Counterfoil API</h1>
<p>GraphiQL is not built on this server. With Node.js installed, <code>make web</code> builds it; until then this form sends queries
and mutations.</p>
<form id="form">
<label for="query">Query</label>
<textarea id="query" rows="12" spellcheck="false">{{ catalog {{ name currency }} }}</textarea>
<label for="variables">Variables (JSON)</label>
<textarea id="variables" rows="4" spellcheck="false"></textarea>
<button>Send</button>
</form>
<h2>Answer</h2>
<pre id="answer" aria-live="polite"></pre>
</main>
<script nonce="{nonce}">
const field = (id) => document.getElementById(id);
field("form").addEventListener("submit", async (event) => {{
  event.preventDefault();
  try {{
    const variables = JSON.parse(field("variables").value.trim() || "{{}}");
    const response = await fetch("{endpoint}", {{
      method: "POST",
      headers: {{ "content-type": "application/json", accept: "application/graphql-response+json" }},
      body: JSON.stringify({{ query: field("query").value, variables }}),
    }});
    field("answer").textContent = JSON.stringify(await response.json(), null, 2);
  }} catch (error) {{
    field("answer").textContent = String(error);
  }}
}});
</script>
</body>
</html>
"""


class ExplorerAssets(StaticFiles):
    """The bundle's files, which may also be built while the server runs; browsers ask each time whether they have changed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self._folder = folder

    async def check_config(self) -> None:
        if not self._folder.is_dir():
            raise HTTPException(404)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


@dataclass(frozen=True, slots=True)
class Explorer:
    """Serves the page for people who open the endpoint in a browser."""

    settings: GraphQLSettings

    def is_open_to(self, *, is_authenticated: bool) -> bool:
        """In production the page is for those with credentials, unless the settings open it."""
        return not self.settings.production or self.settings.explorer_for_anonymous or is_authenticated

    @property
    def is_built(self) -> bool:
        """Is the bundle there? Looked up for each page, so that building it needs no restart."""
        assets = self.settings.explorer_assets
        return assets is not None and (assets / "explorer.js").is_file()

    def page(self) -> HTMLResponse:
        """The page with a content security policy that lets in nothing but what it needs."""
        nonce = secrets.token_urlsafe(16)
        body = _GRAPHIQL if self.is_built else _PLAIN_FORM
        html = _HEAD + body.format(
            nonce=nonce,
            endpoint=escape(self._beside_the_page(self.settings.path), quote=True),
            assets=escape(self._beside_the_page(self.settings.assets_path), quote=True),
        )
        # Monaco, GraphiQL's editor, writes style elements of its own and carries a font and cursors as data URLs.
        style, script = (
            ("'self' 'unsafe-inline'", "'self'") if self.is_built else (f"'nonce-{nonce}'", f"'nonce-{nonce}'")
        )
        policy = (
            f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src 'self' data:; "
            "font-src 'self' data:; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        return HTMLResponse(html, headers={"content-security-policy": policy})

    def _beside_the_page(self, path: str) -> str:
        """A path relative to the page's own, which holds where a proxy serves us under a path of its own too."""
        return posixpath.relpath(path, posixpath.dirname(self.settings.path))
