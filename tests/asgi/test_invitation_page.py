"""The page that an invitation's link leads to: whole in itself, and seen through in a real browser where there is one."""

from __future__ import annotations

import re

import pytest
from graphql import build_schema, parse, validate

from app.asgi import invitation_page
from app.db.engine import Database
from tests.support.accounts import PASSWORD, new_address
from tests.support.api import running_api
from tests.support.browser import browser_page
from tests.support.client import eventually
from tests.support.house import RunningHouse
from tests.support.organizations import mutation
from tests.tidy.sources import ROOT

_VERIFY = "mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { userErrors { code } } }"
_DOCUMENT = re.compile(r"`((?:query|mutation) .*?)`", re.DOTALL)


async def test_the_page_runs_its_own_script_and_nothing_else(fresh_database: Database) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url) as api, api.program() as client:
        answer = await client.http.get("/accept-invitation?token=<script>alert(1)</script>")
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["content-security-policy"])
    assert answer.status_code == 200
    assert nonce is not None
    assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce[1]}">') == 1
    assert "alert(1)" not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "{{" not in answer.text


def test_what_the_page_asks_for_is_in_the_schema() -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    documents = _DOCUMENT.findall(invitation_page.CONTENT.replace("{{", "{").replace("}}", "}"))
    assert len(documents) == 5
    for document in documents:
        assert validate(schema, parse(document)) == []


@pytest.mark.catalogs("compute")
async def test_someone_without_an_account_opens_one_and_joins_on_the_page(house: RunningHouse) -> None:
    owner, address = await house.sign_up(), new_address()
    form = {"input": {"name": "Acme <b>& Sons</b>", "handle": f"acme-{address[:12]}"}}
    made = await house.api.query(mutation("createOrganization"), form, token=owner.token)
    given = {"input": {"workspaceId": made["createOrganization"]["workspace"]["id"], "emailAddress": address}}
    await house.api.query(mutation("inviteMember"), given, token=owner.token)
    async with browser_page() as page:
        await page.open(await _link(house, address, "accept-invitation"))
        await page.shows("Sign in to see what you are invited to.")
        await page.fill("address", address)
        await page.fill("password", PASSWORD)
        await page.click("Open an account")
        await page.shows("Follow the link in the mail")
        token = (await _link(house, address, "verify-email")).partition("?token=")[2]
        verified = await house.api.query(_VERIFY, {"input": {"token": token}})
        assert verified["verifyEmail"]["userErrors"] == []

        await page.fill("password", "not the password")
        await page.click("Sign in")
        await page.shows("No account has this e-mail address and password.")
        await page.fill("password", PASSWORD)
        await page.click("Sign in")
        await page.shows(f"you are invited to join Acme <b>& Sons</b> (acme-{address[:12]}) as member.")
        await page.click("Accept the invitation")
        await page.shows("You belong to Acme <b>& Sons</b> now.")

        await page.open(await _link(house, address, "accept-invitation"))
        await page.shows("You are signed in as")
        await page.click("Accept the invitation")
        await page.shows("This link is too old or was used already.")
        await page.click("Use another account")
        await page.shows("Sign in to see what you are invited to.")


async def _link(house: RunningHouse, address: str, path: str) -> str:
    """The newest link to a page that was mailed to the address."""

    async def look() -> str | None:
        messages = (await house.api.http.get(f"{house.api.url}/dev/inbox")).json()
        links = [link for each in messages if each["to"] == address for link in each["links"]]
        return next((link for link in links if f"/{path}?" in link), None)

    return str(await eventually(look))
