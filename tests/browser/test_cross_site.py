"""A real browser, signed in, on a hostile page: whatever the page tries with the victim's cookie, it is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
import pytest
import pytest_asyncio

from app.db.unit_of_work import transact
from app.store import users as user_store
from tests.support.accounts import PASSWORD
from tests.support.browser import Page, browser_page, empty_pages
from tests.support.digest import digest_of, settled
from tests.support.running_backend import Person, RunningBackend, running_backend

# each attempt comes to what the page has learned, or to the error it got
_ATTEMPTS = """(async (url, mutation, query, subscription) => {
  const results = {};
  const attempt = async (name, what) => {
    try { results[name] = String(await what()); } catch (error) { results[name] = `error: ${error}`; }
  };
  const ask = (options, document = mutation, address = url) => async () =>
    (await fetch(address, {credentials: "include", ...options(JSON.stringify({query: document}))})).text();
  const json = (body) => ({method: "POST", body, headers: {"content-type": "application/json"}});
  const link = (document) => `${url}?query=${encodeURIComponent(document)}`;
  const first = (make, events) => new Promise((resolve) => {
    const source = make();
    for (const event of events) source.addEventListener(event, (happened) => resolve(`${event}: ${happened.data ?? ""}`));
  });
  const embed = (tag, address) => () => first(() => {
    const element = document.createElement(tag);
    element.src = address;
    return document.body.appendChild(element);
  }, ["load", "error"]);
  const send = (enctype, name, value) => () => first(() => {
    const frame = Object.assign(document.createElement("iframe"), {name: enctype});
    const form = Object.assign(document.createElement("form"), {action: url, method: "post", enctype, target: enctype});
    form.append(Object.assign(document.createElement("input"), {name, value}));
    // the empty frame has loaded once it is there: what it loads next is the answer
    document.body.append(frame, form);
    form.submit();
    return frame;
  }, ["load"]);

  await attempt("json, changing", ask(json));
  await attempt("json, reading", ask(json, query));
  await attempt("text", ask((body) => ({method: "POST", body})));
  await attempt("text, not to be read", ask((body) => ({method: "POST", body, mode: "no-cors"})));
  await attempt("multipart", ask((body) => {
    const form = new FormData();
    form.append("operations", body);
    form.append("map", "{}");
    return {method: "POST", body: form, mode: "no-cors"};
  }));
  await attempt("link, reading", ask(() => ({}), "", link(query)));
  await attempt("link, changing", ask(() => ({mode: "no-cors"}), "", link(mutation)));
  await attempt("beacon", () => navigator.sendBeacon(url, JSON.stringify({query: mutation})));
  await attempt("form", send("application/x-www-form-urlencoded", "query", mutation));
  await attempt("form of text", send("text/plain", `{"query": ${JSON.stringify(mutation)}, "a": "`, `"}`));
  await attempt("form of parts", send("multipart/form-data", "operations", JSON.stringify({query: mutation})));
  await attempt("picture", embed("img", link(query)));
  await attempt("script", embed("script", link(query)));
  await attempt("events", () => first(
    () => new EventSource(link(subscription), {withCredentials: true}), ["next", "error"]));
  await attempt("socket", () => new Promise((resolve) => {
    const socket = new WebSocket(url.replace("http", "ws"), "graphql-transport-ws");
    socket.onopen = () => socket.send(JSON.stringify({type: "connection_init"}));
    socket.onmessage = (message) => resolve(message.data);
    socket.onclose = () => resolve("closed");
  }));
  return results;
})"""
_POST = """((url, body) => fetch(url, {
  method: "POST", credentials: "include", headers: {"content-type": "application/json"}, body,
}).then((answer) => answer.json()))"""
_SIGN_IN = "mutation ($input: SignInInput!) { signIn(input: $input) { user { id } userErrors { code } } }"
_READ = "{ viewer { emails { address } } }"


@dataclass(frozen=True, slots=True)
class _Victim:
    """Somebody whose browser is signed in: at `api`, by a page of `app`, which may use it."""

    backend: RunningBackend
    person: Person
    page: Page
    port: int
    api: str
    app: str

    async def attempts(self, origin: str) -> dict[str, str]:
        """What a page of this origin learns from all it tries, by what it tries."""
        await self.page.go(origin)
        given = f'{{workspaceId: "{self.person.workspace}", name: "mine", scopes: [BILLING_WRITE]}}'
        mutation = f"mutation {{ createApiKey(input: {given}) {{ secret }} }}"
        subscription = (
            f'subscription {{ creditBalanceChanged(workspaceId: "{self.person.workspace}") {{ available }} }}'
        )
        arguments = orjson.dumps([f"{self.api}/graphql", mutation, _READ, subscription]).decode()
        return await self.page.run(f"{_ATTEMPTS}(...{arguments})")


@pytest_asyncio.fixture(scope="module")
async def victim(server_url: str) -> AsyncGenerator[_Victim]:
    """Somebody with credits who signed in with their password in a page that may use the service."""
    with empty_pages() as port:
        app = f"http://app.victim.test:{port}"
        async with browser_page() as page, running_backend(server_url, "analytics", allowed_origins=(app,)) as backend:
            person = await backend.sign_up()
            await backend.grant(person, "42")
            hashed = await backend.parts.runtime.passwords.hash(PASSWORD)
            await transact(backend.database, lambda session: user_store.set_password(session, person.user_id, hashed))
            api = f"http://billing.victim.test:{urlsplit(backend.api.url).port}"
            victim = _Victim(backend, person, page, port, api, app)
            await _sign_in(victim)
            await settled(backend.database)
            yield victim


async def _sign_in(victim: _Victim) -> None:
    await victim.page.go(victim.app)
    given = {"input": {"emailAddress": victim.person.address, "password": PASSWORD}}
    arguments = orjson.dumps([f"{victim.api}/graphql", orjson.dumps({"query": _SIGN_IN, "variables": given}).decode()])
    answer = await victim.page.run(f"{_POST}(...{arguments.decode()})")
    assert answer["data"]["signIn"]["userErrors"] == [], answer
    assert await victim.page.run("document.cookie") == ""


@pytest.mark.parametrize(
    "host", ["evil.test", "localhost", "blog.victim.test", "victim.test", "app.victim.test.evil.test"]
)
async def test_a_hostile_page_does_nothing_and_learns_nothing(victim: _Victim, host: str) -> None:
    before = await digest_of(victim.backend.database)

    results = await victim.attempts(f"http://{host}:{victim.port}")

    assert len(results) == 15
    for secret in (victim.person.address, "cfk_", "42", "data"):
        assert [name for name, learned in results.items() if secret in learned] == []
    assert results["json, reading"].startswith("error")
    assert results["socket"] == "closed"
    await settled(victim.backend.database)
    assert await digest_of(victim.backend.database) == before


async def test_a_page_that_may_is_told_and_may_change(victim: _Victim) -> None:
    results = await victim.attempts(victim.app)

    assert victim.person.address in results["json, reading"]
    assert "cfk_" in results["json, changing"]
    assert victim.person.address in results["link, reading"]
    assert "42" in results["events"]
    assert "connection_ack" in results["socket"]
    # what may be sent without asking first does nothing, whoever sends it
    made = [name for name, learned in results.items() if "cfk_" in learned]
    assert made == ["json, changing"]
    keys = await victim.backend.api.query(
        "{ viewer { personalWorkspace { apiKeys { id } } } }", token=victim.person.token
    )
    assert len(keys["viewer"]["personalWorkspace"]["apiKeys"]) == 1
