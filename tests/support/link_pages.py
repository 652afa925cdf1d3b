"""The product's own pages behind mailed links, used with a browser."""

from __future__ import annotations

import orjson

from app.db.unit_of_work import transact
from app.store import users as user_store
from tests.support.accounts import PASSWORD
from tests.support.browser import Page
from tests.support.client import eventually
from tests.support.running_backend import Person, RunningBackend

_SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { user { id } userErrors { code } } }"
_POST = """((body) => fetch("/graphql", {method: "POST", headers: {"content-type": "application/json"}, body})
  .then((answer) => answer.json()))"""
_REFUSE = """(refusal => {
  const real = fetch;
  window.fetch = async () => {
    window.fetch = real;
    return new Response(JSON.stringify({errors: [refusal]}));
  };
})"""


async def mailed_link(backend: RunningBackend, address: str, path: str) -> str:
    """The newest link to a page that was mailed to the address."""

    async def look() -> str | None:
        messages = (await backend.api.http.get(f"{backend.api.url}/dev/inbox")).json()
        links = [link for each in messages if each["to"] == address for link in each["links"]]
        return next((link for link in links if f"/{path}?" in link), None)

    return str(await eventually(look))


async def sign_in_browser(backend: RunningBackend, page: Page, person: Person) -> None:
    """Give the person a password, and sign their browser in with it."""
    hashed = await backend.parts.runtime.passwords.hash(PASSWORD)
    await transact(backend.database, lambda session: user_store.set_password(session, person.user_id, hashed))
    await page.open(f"{backend.api.url}/done")
    await page.shows("You can close this page")
    given = {"input": {"emailAddress": person.address, "password": PASSWORD}}
    body = orjson.dumps({"query": _SIGN_IN, "variables": given}).decode()
    answer = await page.run(f"{_POST}({orjson.dumps(body).decode()})")
    assert answer["data"]["signIn"]["userErrors"] == [], answer


async def refuse_next(page: Page, message: str, code: str) -> None:
    """Let the page's next request be answered by an error, as it is for everyone who asks too often."""
    refusal = {"message": message, "extensions": {"code": code}}
    await page.run(f"{_REFUSE}({orjson.dumps(refusal).decode()})")


async def buttons(page: Page) -> list[str]:
    """What the buttons that can be seen and used say."""
    usable = "[...document.querySelectorAll('button')].filter(each => each.offsetParent && !each.disabled)"
    return await page.run(f"{usable}.map(each => each.innerText)")


async def ready(page: Page, button: str) -> None:
    """Wait until the button with this text can be used."""

    async def look() -> bool:
        return button in await buttons(page)

    await eventually(look)


async def focused(page: Page) -> str:
    """The id of what has the focus; empty where nothing has."""
    return await page.run("document.activeElement.id")


async def isolated(page: Page) -> list[str]:
    """The texts on the page with an isolated direction of writing (`bdi`)."""
    return await page.run("[...document.querySelectorAll('bdi')].map(each => each.textContent)")
