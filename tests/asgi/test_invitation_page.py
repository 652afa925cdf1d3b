"""The page that an invitation's link leads to, seen through in a real browser where there is one."""

from __future__ import annotations

import orjson
import pytest

from tests.support.accounts import PASSWORD, new_address
from tests.support.browser import browser_page
from tests.support.client import eventually
from tests.support.link_pages import buttons, focused, isolated, mailed_link, sign_in_browser
from tests.support.organizations import mutation
from tests.support.running_backend import Person, RunningBackend

_VERIFY = "mutation ($input: VerifyEmailInput!) { verifyEmail(input: $input) { userErrors { code } } }"
_BY_HANDLE = "query ($handle: String!) { workspace(handle: $handle) { id } }"
_USED_UP = (
    "This link is used up or too old, or the invitation was mailed to an address that this account has not verified."
)


async def _invite(backend: RunningBackend, owner: Person, address: str, *, role: str = "MEMBER") -> str:
    """Invite an address to an organization of the owner's, new unless there is one; return its handle."""
    handle = f"acme-{owner.user_id.hex[-12:]}"
    found = await backend.api.query(_BY_HANDLE, {"handle": handle}, token=owner.token)
    workspace = found["workspace"]
    if workspace is None:
        form = {"input": {"name": "Acme <b>& Sons</b>", "handle": handle}}
        made = await backend.api.query(mutation("createOrganization"), form, token=owner.token)
        workspace = made["createOrganization"]["workspace"]
    given = {"input": {"workspaceId": workspace["id"], "emailAddress": address, "role": role}}
    invited = await backend.api.query(mutation("inviteMember"), given, token=owner.token)
    assert invited["inviteMember"]["userErrors"] == []
    return handle


@pytest.mark.catalogs("compute")
async def test_someone_without_an_account_opens_one_and_joins_on_the_page(backend: RunningBackend) -> None:
    owner, address = await backend.sign_up(), new_address()
    handle = await _invite(backend, owner, address)
    async with browser_page() as page:
        await page.open(await mailed_link(backend, address, "accept-invitation"))
        await page.shows("Sign in to see what you are invited to.")
        await page.fill("new-address", address)
        await page.fill("new-password", PASSWORD)
        await page.click("Open an account")
        await page.shows(f"Follow the link in the mail that is on its way to {address}.")
        assert await buttons(page) == ["I have confirmed my address"]
        assert await focused(page) == "status"
        token = (await mailed_link(backend, address, "verify-email")).partition("?token=")[2]
        verified = await backend.api.query(_VERIFY, {"input": {"token": token}})
        assert verified["verifyEmail"]["userErrors"] == []

        # in another browser, so that nobody is signed in here
        await page.click("I have confirmed my address")
        await page.shows("You are not signed in here yet.")
        assert await buttons(page) == ["Sign in", "Open an account"]
        await page.fill("password", "not the password")
        await page.click("Sign in")
        await page.shows("No account has this e-mail address and password.")
        await page.fill("password", PASSWORD)
        await page.click("Sign in")
        # nobody is called by a handle that was made up
        await page.shows(f"You are invited to join Acme <b>& Sons</b> ({handle}) as member.")
        assert await isolated(page) == ["Acme <b>& Sons</b>"]
        await page.click("Accept the invitation")
        await page.shows("You belong to Acme <b>& Sons</b> now.")

        await page.open(await mailed_link(backend, address, "accept-invitation"))
        await page.shows(f"You belong to Acme <b>& Sons</b> ({handle}) already, as member.")
        await page.open(f"{backend.api.url}/accept-invitation?token=nonsense")
        await page.shows(f"You are signed in as {address}. This link is used up or too old")
        assert await buttons(page) == ["Use another account"]
        await page.click("Use another account")
        await page.shows("Sign in to see what you are invited to.")


@pytest.mark.parametrize("comes_back_by", ["button", "looking at the page again"])
@pytest.mark.catalogs("compute")
async def test_whoever_opened_an_account_and_followed_its_link_here_comes_back_to_the_invitation(
    backend: RunningBackend, comes_back_by: str
) -> None:
    owner, address = await backend.sign_up(), new_address()
    await _invite(backend, owner, address)
    async with browser_page() as page:
        await page.open(await mailed_link(backend, address, "accept-invitation"))
        await page.shows("Sign in to see what you are invited to.")
        await page.fill("new-address", address)
        await page.fill("new-password", PASSWORD)
        await page.click("Open an account")
        await page.shows("Follow the link in the mail")
        look = "document.dispatchEvent(new Event('visibilitychange'))"
        await page.run(look)
        token = (await mailed_link(backend, address, "verify-email")).partition("?token=")[2]
        assert await buttons(page) == ["I have confirmed my address"]
        await page.run(f"ask(`{_VERIFY}`, {{input: {{token: {token!r}}}}})")
        if comes_back_by == "button":
            await page.click("I have confirmed my address")
        else:
            await page.run(look)
        await page.shows("You are invited to join Acme")
        assert await buttons(page) == ["Accept the invitation", "Use another account"]
        assert await focused(page) == "status"


@pytest.mark.catalogs("compute")
async def test_whoever_has_accepted_an_invitation_reads_so_on_its_page(backend: RunningBackend) -> None:
    member = await backend.sign_up()
    async with browser_page() as page:
        await sign_in_browser(backend, page, member)
        await page.open(f"{backend.api.url}/accept-invitation?token=used")
        await page.shows("This link is used up or too old")
        offer = {"organizationName": "Acme", "organizationHandle": "acme", "role": "ADMIN"}
        for role, change in (("ADMIN", ""), ("OWNER", ""), ("MEMBER", " An owner can change your role.")):
            viewer = {"displayName": "Ada", "handle": "a-1", "workspaces": [{"handle": "acme", "viewerRole": role}]}
            answer = {"data": {"viewer": viewer, "invitationOffer": offer}}
            await page.run(f"fetch = async () => new Response({orjson.dumps(orjson.dumps(answer).decode()).decode()})")
            await page.run("show()")
            shown = await page.run("document.getElementById('status').innerText")
            assert shown == f"Ada, you belong to Acme (acme) already, as {role.lower()}.{change}"
            assert await buttons(page) == ["Use another account"]


@pytest.mark.catalogs("compute")
async def test_whoever_the_link_is_not_good_for_is_told_before_any_click(backend: RunningBackend) -> None:
    owner, invited, other = await backend.sign_up(), await backend.sign_up(), await backend.sign_up()
    await _invite(backend, owner, invited.address)
    link = await mailed_link(backend, invited.address, "accept-invitation")
    async with browser_page() as page:
        await sign_in_browser(backend, page, other)
        for dead in (link, f"{backend.api.url}/accept-invitation?token=nonsense"):
            await page.open(dead)
            await page.shows(_USED_UP)
            assert await buttons(page) == ["Use another account"]


@pytest.mark.catalogs("compute")
async def test_a_member_is_told_that_they_belong_to_it_already(backend: RunningBackend) -> None:
    owner, member = await backend.sign_up(), await backend.sign_up()
    handle = await _invite(backend, owner, member.address)
    first = await mailed_link(backend, member.address, "accept-invitation")
    async with browser_page() as page:
        await sign_in_browser(backend, page, member)
        await page.open(first)
        await page.shows("ou are invited to join")
        await page.click("Accept the invitation")
        await page.shows("You belong to Acme <b>& Sons</b> now.")
        assert await isolated(page) == ["Acme <b>& Sons</b>"]

        await _invite(backend, owner, member.address, role="ADMIN")

        async def another() -> bool:
            return await mailed_link(backend, member.address, "accept-invitation") != first

        await eventually(another)
        await page.open(await mailed_link(backend, member.address, "accept-invitation"))
        await page.shows(
            f"ou belong to Acme <b>& Sons</b> ({handle}) already, as member. An owner can change your role."
        )
        assert await buttons(page) == ["Use another account"]

        await _invite(backend, owner, owner.address)
        await sign_in_browser(backend, page, owner)
        await page.open(await mailed_link(backend, owner.address, "accept-invitation"))
        await page.shows(f"ou belong to Acme <b>& Sons</b> ({handle}) already, as owner.")
        assert "can change your role" not in await page.run("document.body.innerText")
