"""Profiles, addresses and passwords through the API: who sees whom, and what a page of another origin gets."""

from __future__ import annotations

from tests.api.conftest import Api
from tests.support.accounts import new_person

_PROFILE = (
    "query ($handle: String!) { profile(handle: $handle) { id handle displayName avatar { initials } company bio } }"
)
_SHOW = "mutation ($to: Visibility!) { updateVisibility(input: {visibility: $to}) { user { visibility } userErrors { code } } }"
_UPDATE = """mutation ($input: UpdateProfileInput!) {
  updateProfile(input: $input) { user { firstName lastName company bio displayName } userErrors { code path } }
}"""
_GO_BY = """mutation ($handle: String!) {
  changeHandle(input: {handle: $handle}) { user { handle personalWorkspace { handle } } userErrors { code path } }
}"""
_ADD_EMAIL = """mutation ($address: String!) {
  addEmail(input: {address: $address}) { email { id address isPrimary isVerified } userErrors { code path } }
}"""
_MUTATIONS = (
    'mutation { updateProfile(input: {firstName: "x"}) { userErrors { code } } }',
    'mutation { changeHandle(input: {handle: "some-handle"}) { userErrors { code } } }',
    "mutation { updateVisibility(input: {visibility: PUBLIC}) { userErrors { code } } }",
    'mutation { addEmail(input: {address: "a@example.com"}) { userErrors { code } } }',
    'mutation { sendEmailVerification(input: {id: "x"}) { userErrors { code } } }',
    'mutation { setPrimaryEmail(input: {id: "x"}) { userErrors { code } } }',
    'mutation { removeEmail(input: {id: "x"}) { userErrors { code } } }',
    'mutation { changePassword(input: {currentPassword: "x", newPassword: "xxxxxxxxxx"}) { userErrors { code } } }',
    "mutation { sendReauthenticationCode { userErrors { code } } }",
    'mutation { deleteAccount(input: {confirmHandle: "x"}) { userErrors { code } } }',
    'mutation { deleteWorkspace(input: {workspaceId: "x", confirmHandle: "x"}) { userErrors { code } } }',
)


async def test_a_private_profile_is_its_owners_and_a_public_one_everyones_whatever_the_case(api: Api) -> None:
    person, stranger = await new_person(api.database, handle="Seen-By-All"), await new_person(api.database)
    async with api.program(person.token) as own, api.program(stranger.token) as other, api.program() as nobody:
        for client, is_seen in ((own, True), (other, False), (nobody, False)):
            found = (await client.run(_PROFILE, handle="seen-by-ALL"))["profile"]
            assert (found is not None) == is_seen
        assert (await own.run(_SHOW, to="PUBLIC"))["updateVisibility"]["user"]["visibility"] == "PUBLIC"
        for client in (own, other, nobody):
            assert (await client.run(_PROFILE, handle="seen-by-ALL"))["profile"]["handle"] == "Seen-By-All"
        assert (await nobody.run(_PROFILE, handle="never-heard-of"))["profile"] is None


async def test_names_are_changed_field_by_field(api: Api) -> None:
    person = await new_person(api.database)
    async with api.program(person.token) as own:
        await own.run(_UPDATE, input={"firstName": "Ada", "lastName": "Lovelace", "company": "Engines"})
        changed = (await own.run(_UPDATE, input={"company": None, "bio": "Numbers"}))["updateProfile"]
        assert changed["user"]["displayName"] == "Ada Lovelace"
        assert (changed["user"]["company"], changed["user"]["bio"]) == (None, "Numbers")
        wrong = (await own.run(_UPDATE, input={"lastName": "x" * 101}))["updateProfile"]
        assert wrong["userErrors"] == [{"code": "INVALID_INPUT", "path": ["input", "lastName"]}]


async def test_a_user_id_is_changed_for_the_person_and_their_workspace(api: Api) -> None:
    person = await new_person(api.database)
    await new_person(api.database, handle="gone-already")
    async with api.program(person.token) as own:
        changed = (await own.run(_GO_BY, handle="new-and-mine"))["changeHandle"]["user"]
        assert changed == {"handle": "new-and-mine", "personalWorkspace": {"handle": "new-and-mine"}}
        taken = (await own.run(_GO_BY, handle="Gone-Already"))["changeHandle"]["userErrors"]
        assert taken == [{"code": "HANDLE_TAKEN", "path": ["input", "handle"]}]
        wrong = (await own.run(_GO_BY, handle="-leading"))["changeHandle"]["userErrors"]
        assert wrong == [{"code": "HANDLE_INVALID", "path": ["input", "handle"]}]


async def test_an_address_is_added_unverified(api: Api) -> None:
    person = await new_person(api.database)
    async with api.program(person.token) as own:
        email = (await own.run(_ADD_EMAIL, address="Someone@Example.com"))["addEmail"]["email"]
        assert (email["address"], email["isPrimary"], email["isVerified"]) == ("Someone@example.com", False, False)
        wrong = (await own.run(_ADD_EMAIL, address="no address"))["addEmail"]["userErrors"]
        assert wrong == [{"code": "INVALID_INPUT", "path": ["input", "address"]}]


async def test_what_one_changes_about_oneself_needs_a_person(api: Api) -> None:
    async with api.program() as nobody:
        for mutation in _MUTATIONS:
            assert (await nobody.refused(mutation))["code"] == "UNAUTHENTICATED", mutation


async def test_the_pages_of_mailed_links_are_there_and_run_no_foreign_script(api: Api) -> None:
    async with api.program() as client:
        for path in ("/verify-email", "/reset-password", "/accept-invitation"):
            page = await client.http.get(path)
            assert page.status_code == 200
            assert "<h1>" in page.text
            assert "default-src 'none'" in page.headers["content-security-policy"]
