"""What our own pages have in common: how they look, what they may load, and how their scripts speak to the API."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from starlette.responses import HTMLResponse, Response

_FRAME = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<style nonce="{nonce}">
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 15vh auto; padding: 0 1rem; overflow-wrap: anywhere }}
button, input {{ font: inherit; padding: .5rem 1rem }}
input {{ box-sizing: border-box; width: 100% }}
</style></head>
<body><main><h1>{title}</h1>{content}</main>{script}</body>
</html>
"""

# What strangers typed, such as names, is set as text, never as markup, and keeps its direction of writing to itself.
_SHARED = """
const element = id => document.getElementById(id);
const statusText = element("status");
const token = new URLSearchParams(location.search).get("token") || "";
const INCOMPLETE = "This link is incomplete. Open it from the mail once more, or copy the whole of it.";

const named = name => Object.assign(document.createElement("bdi"), {textContent: name});
const say = (...parts) => statusText.replaceChildren(...parts);

// nobody is called by a handle that was made up for want of a name
const hasName = user => user.displayName !== user.handle;
const calling = (user, text) => hasName(user) ? [named(user.displayName), `, ${text}`] : [text[0].toUpperCase() + text.slice(1)];
const account = user => named(hasName(user) ? user.displayName : user.primaryEmail.address);

class Refusal extends Error {
  constructor({message, code, extensions}) {
    super(message);
    this.code = code || (extensions && extensions.code);
  }
}

// beside this page, wherever that is: a proxy may serve all of us under a path
async function ask(query, variables = {}) {
  const answer = await fetch("graphql", {
    method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({query, variables})
  });
  const {data, errors} = await answer.json();
  if (errors) throw new Refusal(errors[0]);
  for (const {userErrors} of Object.values(data).filter(each => each && each.userErrors)) {
    if (userErrors.length) throw new Refusal(userErrors[0]);
  }
  return data;
}

// whoever used what is gone now is led to the status text instead, unless something else has the focus already
function refocus(used) {
  const now = document.activeElement;
  if (used === document.body || (now !== document.body && now.offsetParent)) return;
  (used.offsetParent ? used : statusText).focus();
}

// does the work while no button can be used; a refusal is shown, and those with a code in `ends` are left to what stands there
async function act(work, ends = {}) {
  const used = document.activeElement;
  const buttons = document.querySelectorAll("button");
  buttons.forEach(each => each.disabled = true);
  try {
    await work();
  } catch (wrong) {
    if (!(wrong instanceof Refusal)) say("The server can't be reached. Try again.");
    else if (ends[wrong.code]) ends[wrong.code](wrong.message);
    else say(wrong.message);
  }
  buttons.forEach(each => each.disabled = false);
  refocus(used);
}
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page: title, markup with a focusable element `status`, and a script that may use what `_SHARED` defines."""

    title: str
    content: str
    script: str = ""


def respond(page: Page) -> Response:
    """The page, which runs its own script and nothing else, and speaks to this origin alone."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
    script = f'<script nonce="{nonce}">{_SHARED}{page.script}</script>' if page.script else ""
    html = _FRAME.format(title=page.title, nonce=nonce, content=page.content, script=script)
    return HTMLResponse(html, headers={"content-security-policy": policy})
