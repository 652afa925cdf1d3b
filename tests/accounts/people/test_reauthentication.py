"""The code that is mailed for re-authentication."""

from __future__ import annotations

from app.accounts.people.reauthentication import CODE_DIGITS, CODE_LIFETIME, reauthenticate, send_code
from app.db.engine import Database
from app.wording import duration
from tests.support.accounts import KEYS, LIMITS_OFF, new_address, new_person, queued_mails, quick_passwords


async def test_the_mail_has_the_code_and_says_how_long_it_can_be_used(database: Database) -> None:
    address = new_address()
    person = await new_person(database, address=address)
    await send_code(database, KEYS, LIMITS_OFF, person.caller)
    [mail] = await queued_mails(database, address)
    assert mail.code is not None
    assert len(mail.code) == CODE_DIGITS
    assert f"good for {duration(CODE_LIFETIME)}." in mail.text


async def test_the_code_may_be_pasted_with_blanks(database: Database) -> None:
    address = new_address()
    person = await new_person(database, address=address)
    await send_code(database, KEYS, LIMITS_OFF, person.caller)
    code = (await queued_mails(database, address))[-1].code or ""
    for typed in (f" {code[:3]} {code[3:]}\n", f"{code[:3]}-{code[3:]}", f"\u200b{code}\ufeff"):
        await reauthenticate(database, quick_passwords(), KEYS, LIMITS_OFF, person.caller, password=None, code=typed)
