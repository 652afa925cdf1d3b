"""The mail of an invitation."""

from __future__ import annotations

from app.accounts.workspaces.invitations import LIFETIME, NewInvitation, invite
from app.accounts.workspaces.organizations import NewOrganization, create_organization
from app.db.engine import Database
from app.wording import duration
from tests.support.accounts import KEYS, LIMITS_OFF, new_address, new_network, new_person, queued_mails


async def test_the_mail_says_how_long_the_link_can_be_used(database: Database) -> None:
    owner, address = await new_person(database), new_address()
    access = await create_organization(
        database, KEYS.abuse_key, LIMITS_OFF, owner.caller, NewOrganization("Acme"), owners_set_external_ids=True
    )
    await invite(
        database,
        KEYS,
        LIMITS_OFF,
        owner.caller,
        NewInvitation(access.workspace.id, address),
        remote_address=new_network(),
        public_url="https://example.com",
    )
    [mail] = await queued_mails(database, address)
    assert f"within {duration(LIFETIME)}, for" in mail.text
