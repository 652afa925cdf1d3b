"""Signing up: the form answers alike for everyone, and only the mailed link makes an account."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from app.accounts.people.email_addresses import LINK_LIFETIME
from app.accounts.people.handles import HandleInvalid, HandleTaken
from app.accounts.people.sessions import OpenedSession
from app.accounts.people.sign_up import PER_ADDRESS, SignUp, sign_up, verify_email
from app.accounts.people.users import emails_of, find_user
from app.accounts.security import rate_limits
from app.accounts.security.passwords import Passwords
from app.accounts.security.rate_limits import RateLimits
from app.accounts.security.shared_errors import EmailTaken, TokenExpired
from app.db.engine import Database
from app.db.tables.access import AuditEventRow
from app.db.tables.people import EmailRow, SignUpRow, UserRow
from app.db.tables.workspaces import MembershipRow, WorkspaceRow
from app.errors import DomainError, InvalidInput, RateLimited
from app.wording import duration
from tests.support.accounts import (
    KEYS,
    LIMITS_OFF,
    LIMITS_ON,
    PASSWORD,
    CountingHasher,
    at_later,
    at_second,
    new_address,
    new_network,
    new_person,
    queued_mails,
    quick_passwords,
    token_of,
)

_URL = "https://accounts.example.com"
_QUICK = quick_passwords()


async def _sign_up(
    database: Database,
    form: SignUp,
    *,
    passwords: Passwords = _QUICK,
    limits: RateLimits = LIMITS_OFF,
    network: str = "192.0.2.1",
) -> None:
    await sign_up(database, passwords, KEYS, limits, form, remote_address=network, public_url=_URL)


def _form(address: str) -> SignUp:
    return SignUp(email_address=address, password=PASSWORD)


async def _mailed_token(database: Database, form: SignUp) -> str:
    await _sign_up(database, form)
    return token_of((await queued_mails(database, form.email_address))[-1])


async def _follow(database: Database, token: str) -> OpenedSession:
    opened = (await verify_email(database, KEYS, token, user_agent="a test")).opened
    assert opened is not None
    return opened


async def test_a_sign_up_is_a_pending_row_and_makes_neither_account_nor_session(fresh_database: Database) -> None:
    await _sign_up(fresh_database, _form("ada@example.com"))
    async with fresh_database.read() as session:
        assert await session.scalar(select(func.count()).select_from(SignUpRow)) == 1
        assert await session.scalar(select(func.count()).select_from(UserRow)) == 0


async def test_the_mail_leads_to_the_public_url_with_a_token_of_which_only_a_hash_is_kept(database: Database) -> None:
    address = new_address()
    token = await _mailed_token(database, _form(address))
    [mail] = await queued_mails(database, address)
    assert mail.links == (f"{_URL}/verify-email?token={token}",)
    assert mail.links[0] in mail.text
    assert f"within {duration(LINK_LIFETIME)}." in mail.text
    async with database.read() as session:
        kept = await session.scalar(select(SignUpRow).where(SignUpRow.address_key == address))
    assert kept is not None
    assert token.encode() not in kept.token_hash
    assert PASSWORD not in kept.password_hash


async def test_the_mail_says_when_the_account_was_asked_for_and_who_chose_its_password(database: Database) -> None:
    address = new_address()
    for second in (59, 60):
        await _sign_up(at_second(database, second), _form(address))
    first, second = await queued_mails(database, address)
    assert "on 2030-01-01 at 00:00 UTC" in first.text
    assert "on 2030-01-01 at 00:01 UTC" in second.text
    assert "whoever asked at that time chose the password" in first.text


async def test_following_the_link_makes_user_workspace_membership_and_session(database: Database) -> None:
    address = new_address()
    form = replace(_form(address), first_name=" Ada ", last_name="Lovelace")
    opened = await _follow(database, await _mailed_token(database, form))
    async with database.read() as session:
        user = await find_user(session, opened.user_id)
        assert user is not None
        [email] = await emails_of(session, user.id)
        workspace = await session.get(WorkspaceRow, user.personal_workspace_id)
        membership = await session.get(MembershipRow, (user.personal_workspace_id, user.id))
        actions = (
            await session.scalars(
                select(AuditEventRow.action).where(AuditEventRow.workspace_id == user.personal_workspace_id)
            )
        ).all()
    assert (user.display_name, user.initials) == ("Ada Lovelace", "AL")
    assert (email.address, email.is_primary) == (address, True)
    assert email.verified_at is not None
    assert workspace is not None
    assert (workspace.kind, workspace.name, workspace.handle) == ("PERSONAL", "Ada Lovelace", user.handle)
    assert membership is not None
    assert membership.role == "OWNER"
    assert actions == ["workspace.created"]


async def test_the_handle_asked_for_is_not_taken_before_the_link_is_followed(fresh_database: Database) -> None:
    token = await _mailed_token(fresh_database, replace(_form("slow@example.com"), handle="Wanted"))
    quicker = await new_person(fresh_database, handle="wanted")
    opened = await _follow(fresh_database, token)
    async with fresh_database.read() as session:
        user = await find_user(session, opened.user_id)
    assert quicker.user.handle == "wanted"
    assert user is not None
    assert re.fullmatch(r"user-\d{10}", user.handle)


async def test_a_handle_that_is_taken_is_refused_alike_for_known_and_new_addresses(
    fresh_database: Database,
) -> None:
    known = new_address()
    await new_person(fresh_database, address=known, handle="Taken")
    for address in (known, new_address()):
        with pytest.raises(HandleTaken) as refused:
            await _sign_up(fresh_database, replace(_form(address), handle="tAKEN"))
        assert refused.value.path == ("input", "handle")
        assert await queued_mails(fresh_database, address) == []
    async with fresh_database.read() as session:
        assert await session.scalar(select(func.count()).select_from(SignUpRow)) == 0


async def test_known_and_new_addresses_take_the_same_work_and_each_gets_a_mail(database: Database) -> None:
    known, unknown = new_address(), new_address()
    await new_person(database, address=known)
    hashes: list[int] = []
    for address in (known, unknown):
        hasher = CountingHasher()
        passwords = Passwords(hasher)
        before = hasher.computed
        await _sign_up(database, _form(address), passwords=passwords)
        hashes.append(hasher.computed - before)
    assert hashes == [1, 1]
    [known_mail] = await queued_mails(database, known)
    [unknown_mail] = await queued_mails(database, unknown)
    assert known_mail.subject == "You already have an account"
    assert known_mail.links == ()
    # it may have none: its owner may come by an identity provider
    assert "as you usually do" in known_mail.text
    assert "the link for those who forgot" in known_mail.text
    assert unknown_mail.links != ()


async def test_signing_up_again_changes_nothing_about_a_known_account(database: Database) -> None:
    address = new_address()
    person = await new_person(database, address=address)
    await _sign_up(database, replace(_form(address.upper()), handle="another-one"))
    async with database.read() as session:
        assert await find_user(session, person.user.id) == person.user


async def test_a_form_that_is_wrong_is_refused_alike_for_known_and_new_addresses(database: Database) -> None:
    known = new_address()
    await new_person(database, address=known)
    for address in (known, new_address()):
        with pytest.raises(InvalidInput, match="10 to 256") as refused:
            await _sign_up(database, SignUp(address, "too short"))
        assert refused.value.path == ("input", "password")
        with pytest.raises(HandleInvalid):
            await _sign_up(database, replace(_form(address), handle="-ada"))
        with pytest.raises(InvalidInput, match="control characters"):
            await _sign_up(database, replace(_form(address), first_name="Ada\nLovelace"))
        assert await queued_mails(database, address) == []


@pytest.mark.parametrize("length", [10, 256])
async def test_passwords_of_10_to_256_characters_are_taken(database: Database, length: int) -> None:
    address = new_address()
    await _sign_up(database, SignUp(address, "ö" * length))
    assert len(await queued_mails(database, address)) == 1


@pytest.mark.parametrize("length", [9, 257])
async def test_shorter_and_longer_passwords_are_refused(database: Database, length: int) -> None:
    with pytest.raises(InvalidInput, match="10 to 256"):
        await _sign_up(database, SignUp(new_address(), "ö" * length))


async def test_a_link_works_once(database: Database) -> None:
    token = await _mailed_token(database, _form(new_address()))
    await _follow(database, token)
    with pytest.raises(TokenExpired):
        await _follow(database, token)


async def test_a_link_works_for_24_hours_of_real_time(database: Database) -> None:
    token = await _mailed_token(database, _form(new_address()))
    with pytest.raises(TokenExpired):
        await _follow(at_later(database, timedelta(hours=24)), token)
    await _follow(at_later(database, timedelta(hours=23)), token)


@pytest.mark.parametrize("token", ["", "nonsense", "\0", "x" * 10_000])
async def test_an_unknown_link_is_refused_like_an_expired_one(database: Database, token: str) -> None:
    with pytest.raises(TokenExpired):
        await _follow(database, token)


async def test_only_the_holder_of_a_mailed_link_learns_that_an_address_is_taken(database: Database) -> None:
    address = new_address()
    slow = await _mailed_token(database, _form(address))
    await _follow(database, await _mailed_token(database, _form(address)))
    with pytest.raises(EmailTaken):
        await _follow(database, slow)


async def test_of_two_who_verify_one_address_at_once_one_wins_and_the_other_leaves_nothing(
    fresh_database: Database,
) -> None:
    tokens = [await _mailed_token(fresh_database, _form("ada@example.com")) for _ in range(6)]
    outcomes = await asyncio.gather(*(_follow(fresh_database, token) for token in tokens), return_exceptions=True)
    assert sum(isinstance(outcome, OpenedSession) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, EmailTaken) for outcome in outcomes) == 5
    async with fresh_database.read() as session:
        for table in (UserRow, EmailRow, WorkspaceRow, MembershipRow):
            assert await session.scalar(select(func.count()).select_from(table)) == 1


async def test_one_link_followed_many_times_at_once_opens_one_account(database: Database) -> None:
    token = await _mailed_token(database, _form(new_address()))
    outcomes = await asyncio.gather(*(_follow(database, token) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(outcome, OpenedSession) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, TokenExpired) for outcome in outcomes) == 5


async def test_of_two_sign_ups_for_a_handle_verified_at_once_one_gets_it(fresh_database: Database) -> None:
    forms = [replace(_form(f"p{number}@example.com"), handle="Wanted") for number in range(4)]
    tokens = [await _mailed_token(fresh_database, form) for form in forms]
    opened = await asyncio.gather(*(_follow(fresh_database, token) for token in tokens))
    async with fresh_database.read() as session:
        users = [await find_user(session, account.user_id) for account in opened]
    assert [user.handle for user in users if user is not None].count("Wanted") == 1


async def test_sign_ups_are_limited_alike_for_known_and_new_addresses(database: Database) -> None:
    known, unknown = new_address(), new_address()
    await new_person(database, address=known)
    for address in (known, unknown):
        for _ in range(PER_ADDRESS.most):
            await _sign_up(database, _form(address), limits=LIMITS_ON, network=new_network())
        with pytest.raises(RateLimited):
            await _sign_up(database, _form(address.upper()), limits=LIMITS_ON, network=new_network())
        assert len(await queued_mails(database, address)) == PER_ADDRESS.most


async def test_sign_ups_are_limited_per_network_address(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.accounts.people.sign_up.PER_NETWORK", rate_limits.Limit("sign-up:network", 2, 3_600))
    network = new_network()
    for _ in range(2):
        await _sign_up(database, _form(new_address()), limits=LIMITS_ON, network=network)
    with pytest.raises(RateLimited):
        await _sign_up(database, _form(new_address()), limits=LIMITS_ON, network=network)


async def test_a_sign_up_that_is_not_committed_mails_nothing(fresh_database: Database) -> None:
    def fail(point: str) -> None:
        if point == "sign-up:before-commit":
            raise ConnectionError(point)

    broken = Database(fresh_database.engine, fresh_database.clock, fault=fail)
    with pytest.raises(ConnectionError):
        await _sign_up(broken, _form("ada@example.com"))
    assert await queued_mails(fresh_database, "ada@example.com") == []


def test_errors_say_what_to_do() -> None:
    errors: list[DomainError] = [EmailTaken(), TokenExpired()]
    assert all(error.message.endswith(".") for error in errors)
