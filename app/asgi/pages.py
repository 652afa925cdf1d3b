"""The few pages of our own, for products that have none: where mailed links and hosted payments lead."""

from __future__ import annotations

import secrets

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from app.asgi import invitation_page, reset_page

_FRAME = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style nonce="{nonce}">
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1rem }}
button, input {{ font: inherit; padding: .5rem 1rem }}
</style></head>
<body><main><h1>{title}</h1>{content}</main></body>
</html>
"""

_DONE = "<p>You can close this page and go back to where you came from.</p>"

# A button, since mail programs open links by themselves to look at them: only a person's click may use the link up.
_CONFIRM = """<p id="said" role="status">One click confirms that this address is yours.</p>
<p><button id="go">Confirm my e-mail address</button></p>
<script nonce="{nonce}">
const said = document.getElementById("said"), go = document.getElementById("go");
go.onclick = async () => {{
  go.disabled = true;
  const token = new URLSearchParams(location.search).get("token") || "";
  const query = `mutation ($token: String!) {{
    verifyEmail(input: {{token: $token}}) {{ user {{ displayName }} userErrors {{ message }} }}
  }}`;
  try {{
    const answer = await fetch("/graphql", {{
      method: "POST", headers: {{"content-type": "application/json"}}, body: JSON.stringify({{query, variables: {{token}}}})
    }});
    const {{data, errors}} = await answer.json();
    const wrong = errors ? errors[0] : data.verifyEmail.userErrors[0];
    const user = wrong ? null : data.verifyEmail.user;
    said.textContent = wrong ? wrong.message
      : user ? `The address is confirmed, ${{user.displayName}}. You are signed in.` : "The address is confirmed.";
    if (!wrong) go.remove();
  }} catch {{
    said.textContent = "The server can't be reached. Try again.";
    go.disabled = false;
  }}
}};
</script>"""


def page_routes(*, leads_to_explorer: bool) -> list[BaseRoute]:
    """`/done` after a hosted payment; `/verify-email`, `/reset-password` and `/accept-invitation` for mailed links; if wanted, `/`.

    The last leads to the explorer.
    """

    async def done(_request: Request) -> Response:
        return _page("That's it", _DONE)

    async def verify_email(_request: Request) -> Response:
        return _page("Confirm your e-mail address", _CONFIRM)

    async def reset_password(_request: Request) -> Response:
        return _page("Choose a new password", reset_page.CONTENT)

    async def accept_invitation(_request: Request) -> Response:
        return _page("You are invited", invitation_page.CONTENT)

    async def root(_request: Request) -> Response:
        return RedirectResponse("/graphql")

    routes: list[BaseRoute] = [
        Route("/done", done),
        Route("/verify-email", verify_email),
        Route("/reset-password", reset_password),
        Route("/accept-invitation", accept_invitation),
    ]
    return [*routes, Route("/", root)] if leads_to_explorer else routes


def _page(title: str, content: str) -> Response:
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    html = _FRAME.format(title=title, nonce=nonce, content=content.format(nonce=nonce))
    return HTMLResponse(html, headers={"content-security-policy": policy})
