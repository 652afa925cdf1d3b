"""A known subject whose address changes at the provider: the account follows, and the former address is not trusted any more."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select, text, update

from app.accounts.people.email_addresses import MOST_ADDRESSES
from app.accounts.people.password_changes import mail_reset_link
from app.accounts.security.secrets import new_token, token_hash
from app.db.engine import Database, Session
from app.db.tables.access import AuditEventRow
from app.db.tables.people import EmailRow, IdentityRow, MailedLinkRow
from app.db.unit_of_work import transact
from app.oidc.issuer import Issuer
from app.store import email_addresses as email_address_store
from app.store import users as user_store
from tests.accounts.people.oidc_identities.steps import addresses_of, user_id_of, user_of, verified, watched
from tests.support.accounts import KEYS, new_address, new_person, queued_mails
from tests.support.oidc import IssuerDouble

_URL = "https://accounts.example.com"
# fixed, so that the order of tokens does not hang on how long a test takes
_FIRST_ISSUED_AT = int(time.time()) - 60


async def _tell(
    database: Database, idp: IssuerDouble, issuer: Issuer, subject: str, address: str, *, at: int = 0
) -> UUID:
    """The user of a new token that tells this address; it was issued `at` seconds after the first."""
    token = idp.token(sub=subject, **verified(address), iat=_FIRST_ISSUED_AT + at, jti=uuid4().hex)
    return await user_id_of(database, issuer, token)


async def _add(database: Database, user_id: UUID, address: str, *, is_verified: bool) -> UUID:
    row_id = uuid4()

    async def add(session: Session) -> None:
        row = EmailRow(
            id=row_id,
            user_id=user_id,
            address=address,
            address_key=address,
            is_primary=False,
            verified_at=session.now if is_verified else None,
            created_at=session.now,
        )
        session.add(row)

    await transact(database, add)
    return row_id


async def _audited(database: Database, user_id: UUID) -> list[AuditEventRow]:
    workspace_id = (await user_of(database, user_id)).personal_workspace_id
    query = select(AuditEventRow).where(
        AuditEventRow.workspace_id == workspace_id, AuditEventRow.action == "identity.email_told"
    )
    async with database.read() as session:
        return list((await session.scalars(query)).all())


async def test_a_known_subject_with_a_new_verified_address_gets_it_added_and_made_primary(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old)
    assert await _tell(database, idp, issuer, subject, new, at=1) == user_id
    assert await addresses_of(database, user_id) == [(new, True, True), (old, False, False)]
    [mail] = await queued_mails(database, new)
    assert mail.subject == "Your primary e-mail address was changed"
    # the former mailbox may be somebody else's by now
    assert await queued_mails(database, old) == []
    [event] = await _audited(database, user_id)
    assert event.actor_user_id == user_id
    assert event.detail == {"before": None, "after": {"isAdded": True, "isFormerUnverified": True}}
    with watched(database) as statements:
        await _tell(database, idp, issuer, subject, new, at=2)
    assert len(statements) == 1


async def test_the_former_address_resets_no_password_and_signs_nobody_in(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old)
    await mail_reset_link(database, KEYS, old, public_url=_URL)
    await _tell(database, idp, issuer, subject, new, at=1)
    async with database.read() as session:
        links = select(func.count()).select_from(MailedLinkRow).where(MailedLinkRow.user_id == user_id)
        assert await session.scalar(links) == 0
        assert await user_store.credentials(session, old) is None
        assert (await user_store.credentials(session, new)) is not None
    await mail_reset_link(database, KEYS, old, public_url=_URL)
    assert "no such account" in (await queued_mails(database, old))[-1].text


async def test_a_link_that_was_mailed_to_the_former_address_verifies_it_no_more(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old = uuid4().hex, new_address()
    user_id = await user_id_of(database, issuer, idp.token(sub=subject, email=old))
    token = new_token()

    async def mail(session: Session) -> None:
        [row] = await user_store.emails_of(session, user_id)
        expires_at = session.real_now + timedelta(hours=1)
        link = MailedLinkRow(
            token_hash=token_hash(token),
            user_id=user_id,
            email_id=row.id,
            created_at=session.real_now,
            expires_at=expires_at,
        )
        session.add(link)

    await transact(database, mail)
    await _tell(database, idp, issuer, subject, old)
    await _tell(database, idp, issuer, subject, new_address(), at=1)
    async with database.read() as session:
        assert await session.get(MailedLinkRow, token_hash(token)) is None


async def test_an_address_that_its_holder_proved_by_a_mailed_link_stays(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    person = await new_person(database, address=old)
    assert await _tell(database, idp, issuer, subject, old) == person.user.id
    assert await _tell(database, idp, issuer, subject, new, at=1) == person.user.id
    assert await addresses_of(database, person.user.id) == [(old, True, True), (new, False, True)]
    assert [mail.subject for mail in await queued_mails(database, old)] == [
        "An e-mail address was added to your account"
    ]


async def test_a_link_followed_for_a_vouched_address_proves_it(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old)

    async def prove(session: Session) -> None:
        [row] = await user_store.emails_of(session, user_id)
        assert await email_address_store.verify(session, row.id, session.now)

    await transact(database, prove)
    await _tell(database, idp, issuer, subject, new, at=1)
    assert await addresses_of(database, user_id) == [(old, True, True), (new, False, True)]


async def test_a_proven_address_is_primary_where_the_new_one_is_somebody_elses(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, proven, new = uuid4().hex, new_address(), new_address(), new_address()
    owner = await new_person(database, address=new)
    user_id = await _tell(database, idp, issuer, subject, old)
    await _add(database, user_id, proven, is_verified=True)
    await _tell(database, idp, issuer, subject, new, at=1)
    assert await addresses_of(database, user_id) == [(proven, True, True), (old, False, False)]
    assert await addresses_of(database, owner.user.id) == [(new, True, True)]
    assert [mail.subject for mail in await queued_mails(database, proven)] == [
        "Your primary e-mail address was changed"
    ]


async def test_an_address_of_another_account_is_not_added_until_that_lets_it_go(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    jane, joan, address, others = uuid4().hex, uuid4().hex, new_address(), new_address()
    predecessor = await _tell(database, idp, issuer, jane, address)
    successor = await _tell(database, idp, issuer, joan, others)
    await _tell(database, idp, issuer, joan, address, at=1)
    assert await addresses_of(database, successor) == [(others, False, False)]
    with watched(database) as statements:
        await _tell(database, idp, issuer, joan, address, at=2)
    assert len(statements) == 1
    moved = new_address()
    await _tell(database, idp, issuer, jane, moved, at=3)
    await _tell(database, idp, issuer, joan, address, at=4)
    assert await addresses_of(database, predecessor) == [(moved, True, True), (address, False, False)]
    assert await addresses_of(database, successor) == [(address, True, True), (others, False, False)]


async def test_two_tokens_at_once_are_followed_once(database: Database, idp: IssuerDouble, issuer: Issuer) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old)
    await asyncio.gather(*(_tell(database, idp, issuer, subject, new, at=1) for _ in range(6)))
    assert await addresses_of(database, user_id) == [(new, True, True), (old, False, False)]
    assert len(await queued_mails(database, new)) == len(await _audited(database, user_id)) == 1


async def test_an_older_token_does_not_bring_the_former_address_back(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old, at=1)
    await _tell(database, idp, issuer, subject, new, at=2)
    await _tell(database, idp, issuer, subject, old, at=1)
    of_unknown_age = idp.token(sub=subject, **verified(old), iat=None)
    assert await user_id_of(database, issuer, of_unknown_age) == user_id
    assert await addresses_of(database, user_id) == [(new, True, True), (old, False, False)]


async def test_an_address_that_goes_and_comes_back_is_trusted_again(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old)
    await _tell(database, idp, issuer, subject, new, at=1)
    await _tell(database, idp, issuer, subject, old, at=2)
    assert await addresses_of(database, user_id) == [(old, True, True), (new, False, False)]


async def test_however_often_it_moves_an_account_has_no_more_addresses_than_may_be(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, last = uuid4().hex, new_address()
    user_id = await _tell(database, idp, issuer, subject, new_address())
    for at in range(1, MOST_ADDRESSES + 2):
        await _tell(database, idp, issuer, subject, new_address(), at=at)
    await _tell(database, idp, issuer, subject, last, at=MOST_ADDRESSES + 2)
    held = await addresses_of(database, user_id)
    assert len(held) == MOST_ADDRESSES
    assert [each for each in held if each[2]] == [(last, True, True)]


async def test_a_full_account_gets_no_more_and_is_not_tried_with_each_request(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, address = uuid4().hex, new_address()
    user_id = (await new_person(database, address=address)).user.id
    await _tell(database, idp, issuer, subject, address)
    for _ in range(MOST_ADDRESSES - 1):
        await _add(database, user_id, new_address(), is_verified=False)
    with watched(database) as statements:
        await _tell(database, idp, issuer, subject, new_address(), at=1)
    assert len(statements) == 1
    assert len(await addresses_of(database, user_id)) == MOST_ADDRESSES


async def test_an_account_with_two_subjects_from_before_follows_neither(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, second, address = uuid4().hex, uuid4().hex, new_address()
    user_id = await _tell(database, idp, issuer, subject, address)

    async def add(session: Session) -> None:
        row = IdentityRow(issuer=idp.url, subject=second, user_id=user_id, created_at=session.now)
        session.add(row)

    await transact(database, add)
    assert await _tell(database, idp, issuer, second, new_address(), at=1) == user_id
    assert await _tell(database, idp, issuer, subject, new_address(), at=2) == user_id
    assert await addresses_of(database, user_id) == [(address, True, True)]


async def test_an_issuer_that_follows_another_vouches_from_then_on(
    database: Database, idp: IssuerDouble, issuer: Issuer
) -> None:
    subject, old, new = uuid4().hex, new_address(), new_address()
    user_id = await _tell(database, idp, issuer, subject, old)

    async def rename(session: Session) -> None:
        await session.execute(
            update(EmailRow).where(EmailRow.user_id == user_id).values(vouched_by="https://former.example.com")
        )
        await session.execute(text("DELETE FROM identities WHERE subject = :subject"), {"subject": subject})

    await transact(database, rename)
    assert await _tell(database, idp, issuer, subject, old, at=1) == user_id
    await _tell(database, idp, issuer, subject, new, at=2)
    assert await addresses_of(database, user_id) == [(new, True, True), (old, False, False)]
