"""The demo user of development."""

from __future__ import annotations

from typing import Final

from app.accounts.people.email_syntax import parse_email
from app.accounts.people.milestones import Milestones
from app.accounts.people.users import NewUser, create_user
from app.accounts.security.passwords import Passwords
from app.accounts.security.secrets import HashKeys
from app.accounts.security.shared_errors import EmailTaken
from app.db.engine import Database, Session
from app.db.unit_of_work import transact

DEMO_ADDRESS: Final = "demo@example.com"


DEMO_PASSWORD: Final = "counterfoil-demo"


async def seed_demo(database: Database, abuse_key: HashKeys, milestones: Milestones) -> bool:
    """Make the demo user, verified and with neither phone nor card; False when it is there already."""
    hashed = await Passwords().hash(DEMO_PASSWORD)

    async def make(session: Session) -> None:
        new = NewUser(parse_email(DEMO_ADDRESS), hashed, "demo", "Demo", "User")
        await create_user(session, abuse_key, new, milestones)

    try:
        await transact(database, make, step="seed")
    except EmailTaken:
        return False
    return True
