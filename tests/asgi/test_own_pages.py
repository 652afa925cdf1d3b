"""The pages that mailed links lead to: whole in themselves, and seen through in a real browser where there is one."""

from __future__ import annotations

import re

import pytest
from graphql import build_schema, parse, validate

from app.accounts.people.password_changes import LINK_LIFETIME
from app.accounts.security.passwords import SHORTEST
from app.asgi import invitation_page, reset_page, verification_page
from app.asgi.page_frame import Page
from app.db.engine import Database
from app.main import web_app
from app.wording import duration
from tests.asgi.under_a_path import under_a_path
from tests.support.accounts import PASSWORD, new_address
from tests.support.api import running_api
from tests.support.browser import browser_page
from tests.support.client import eventually
from tests.support.link_pages import buttons, focused, isolated, mailed_link, ready, refuse_next, sign_in_browser
from tests.support.running_backend import RunningBackend
from tests.tidy.sources import ROOT

_PATHS = ("/verify-email", "/reset-password", "/accept-invitation")
_DOCUMENT = re.compile(r"`((?:query|mutation) .*?)`", re.DOTALL)
_CONFIRM = "Confirm my e-mail address"
_SIGN_UP = "mutation ($input: SignUpInput!) { signUp(input: $input) { userErrors { code } } }"
_ADD_EMAIL = "mutation ($input: AddEmailInput!) { addEmail(input: $input) { userErrors { code } } }"
_ASK_RESET = (
    "mutation ($input: RequestPasswordResetInput!) { requestPasswordReset(input: $input) { userErrors { code } } }"
)
_RENAME = "mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) { userErrors { code } } }"


@pytest.mark.parametrize("path", _PATHS)
async def test_a_page_runs_its_own_script_and_nothing_else(fresh_database: Database, path: str) -> None:
    url = fresh_database.engine.url.set(drivername="postgresql").render_as_string(False)
    async with running_api(url) as api, api.program() as client:
        answer = await client.http.get(f"{path}?token=<script>alert(1)</script>")
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["content-security-policy"])
    assert answer.status_code == 200
    assert nonce is not None
    assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce[1]}">') == 1
    assert "alert(1)" not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "{{" not in answer.text


@pytest.mark.parametrize(
    ("page", "count"), [(verification_page.PAGE, 3), (reset_page.PAGE, 2), (invitation_page.PAGE, 6)]
)
def test_what_a_page_asks_for_is_in_the_schema(page: Page, count: int) -> None:
    schema = build_schema((ROOT / "schema.graphql").read_text())
    documents = _DOCUMENT.findall(page.script)
    assert len(documents) == count
    for document in documents:
        assert validate(schema, parse(document)) == []


async def test_whoever_is_signed_in_is_told_before_a_link_signs_them_in_as_another(backend: RunningBackend) -> None:
    person, address = await backend.sign_up(), new_address()
    await backend.api.query(_RENAME, {"input": {"firstName": "Ada <b>", "lastName": "Lovelace"}}, token=person.token)
    form = {"emailAddress": address, "password": PASSWORD, "firstName": "Mallory"}
    await backend.api.query(_SIGN_UP, {"input": form})
    async with browser_page() as page:
        await sign_in_browser(backend, page, person)
        await page.open(await mailed_link(backend, address, "verify-email"))
        await page.shows(
            "You are signed in as Ada <b> Lovelace. If this link opens a new account, you will be signed in to that one instead."
        )
        assert await isolated(page) == ["Ada <b> Lovelace"]
        await page.click(_CONFIRM)
        await page.shows("Mallory, your address is confirmed, and you are signed in. You can go back to the page")
        assert await focused(page) == "status"
        assert "Ada" not in await page.run("document.body.innerText")
        assert await buttons(page) == []


async def test_a_link_that_is_used_up_says_how_to_get_another(backend: RunningBackend) -> None:
    address = new_address()
    await backend.api.query(_SIGN_UP, {"input": {"emailAddress": address, "password": PASSWORD}})
    link = await mailed_link(backend, address, "verify-email")
    async with browser_page() as page:
        await page.open(link)
        await ready(page, _CONFIRM)
        await page.shows("whoever asked for an account chose its password")
        await page.click(_CONFIRM)
        # nobody is called by a handle that was made up
        await page.shows("Your address is confirmed, and you are signed in.")
        assert await isolated(page) == []
        await page.open(f"{link}&again")
        await page.shows(f"You are signed in as {address}.")
        await page.click(_CONFIRM)
        await page.shows("This link is not good any more. You are signed in, and every address")
        assert await buttons(page) == []

        await page.run("ask(`mutation { signOut { userErrors { code message } } }`)")
        await page.open(link)
        await ready(page, _CONFIRM)
        await page.click(_CONFIRM)
        await page.shows("If not, sign up again with the same address: that mails you another link.")
        assert await buttons(page) == []


async def test_whoever_is_signed_in_can_have_another_link_for_a_dead_one_on_the_page(backend: RunningBackend) -> None:
    person, address = await backend.sign_up(), new_address()
    await backend.api.query(_ADD_EMAIL, {"input": {"address": address}}, token=person.token)
    first = await mailed_link(backend, address, "verify-email")
    async with browser_page() as page:
        await sign_in_browser(backend, page, person)
        await page.open(f"{backend.api.url}/verify-email?token=nonsense")
        await page.shows("You are signed in as")
        await page.click(_CONFIRM)
        await page.shows("This link is not good any more. You can have another one mailed to you here.")
        assert await buttons(page) == [f"Mail a link to {address}"]
        await page.click(f"Mail a link to {address}")
        await page.shows(f"Another link is on its way to {address}.")
        assert (await buttons(page), await focused(page)) == ([], "status")

        async def another() -> bool:
            return await mailed_link(backend, address, "verify-email") != first

        await eventually(another)
        await page.open(await mailed_link(backend, address, "verify-email"))
        await page.shows("You are signed in as")
        await page.click(_CONFIRM)
        await page.shows("our address is confirmed")


async def test_an_address_that_another_account_has_verified_says_how_to_get_into_that_one(
    backend: RunningBackend,
) -> None:
    address = new_address()
    person = await backend.sign_up()
    await backend.api.query(_ADD_EMAIL, {"input": {"address": address}}, token=person.token)
    link = await mailed_link(backend, address, "verify-email")
    await backend.sign_up(address=address)
    async with browser_page() as page:
        await page.open(link)
        await ready(page, _CONFIRM)
        await page.click(_CONFIRM)
        await page.shows("If you don't know its password, ask for the link for those who forgot theirs.")
        assert await buttons(page) == []


async def test_after_a_refusal_that_passes_the_button_can_be_used_again(backend: RunningBackend) -> None:
    address = new_address()
    await backend.api.query(_SIGN_UP, {"input": {"emailAddress": address, "password": PASSWORD}})
    async with browser_page() as page:
        await page.open(await mailed_link(backend, address, "verify-email"))
        await ready(page, _CONFIRM)
        for message, code in (("Too many attempts.", "RATE_LIMITED"), ("Something went wrong.", "INTERNAL")):
            await refuse_next(page, message, code)
            await page.click(_CONFIRM)
            await page.shows(message)
            assert await buttons(page) == [_CONFIRM]
        await page.click(_CONFIRM)
        await page.shows("Your address is confirmed")


@pytest.mark.parametrize("path", _PATHS)
async def test_a_link_without_its_token_is_said_to_be_incomplete(backend: RunningBackend, path: str) -> None:
    async with browser_page() as page:
        await page.open(f"{backend.api.url}{path}")
        await page.shows("This link is incomplete.")
        # another link to choose a password can be had by anyone
        assert await buttons(page) == (["Mail me another link"] if path == "/reset-password" else [])


async def test_a_reset_link_that_is_used_up_is_replaced_on_the_page(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await backend.api.query(_RENAME, {"input": {"firstName": "Ada <b>"}}, token=person.token)
    await backend.api.query(_ASK_RESET, {"input": {"emailAddress": person.address}})
    first = await mailed_link(backend, person.address, "reset-password")
    async with browser_page() as page:
        await page.listen()
        await page.open(first)
        await page.shows(f"Choose a new password of {SHORTEST} characters")
        assert await focused(page) == "password"
        await page.fill("password", PASSWORD)
        await page.click("Set the password")
        await page.shows("Ada <b>, your password is set, and you are signed in.")
        assert await isolated(page) == ["Ada <b>"]
        assert await focused(page) == "status"
        # of an account's field, which password managers want
        assert [each for each in page.complaints if "assword" in each] == []

        await page.open(f"{first}&again")
        await page.shows(f"Choose a new password of {SHORTEST} characters")
        await page.fill("password", "another horse entirely")
        await page.click("Set the password")
        await page.shows("This link is too old, was used already, or is no longer good.")
        assert await buttons(page) == ["Mail me another link"]
        assert await focused(page) == "address"
        await page.fill("address", person.address)
        await page.click("Mail me another link")
        await page.shows(
            f"If there is an account with {person.address}, a link that is good for {duration(LINK_LIFETIME)} is on its way there."
        )
        assert [each for each in page.complaints if "assword" in each] == []

    async def another() -> bool:
        return await mailed_link(backend, person.address, "reset-password") != first

    await eventually(another)


async def test_a_page_finds_the_endpoint_under_a_path_of_a_proxys_too(backend: RunningBackend) -> None:
    address = new_address()
    await backend.api.query(_SIGN_UP, {"input": {"emailAddress": address, "password": PASSWORD}})
    link = await mailed_link(backend, address, "verify-email")
    async with under_a_path(web_app(backend.parts), "/billing") as url, browser_page() as page:
        await page.open(link.replace(backend.api.url, url))
        await ready(page, _CONFIRM)
        await page.click(_CONFIRM)
        await page.shows("Your address is confirmed")
        # which is the explorer's, beside the page
        await page.open(f"{url}/")
        await page.shows("GraphiQL")
        assert await page.run("location.pathname") == "/billing/graphql"
