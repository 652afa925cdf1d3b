"""Handles: their syntax, the reserved words, and generating one."""

from __future__ import annotations

import asyncio
import re

import pytest

from app.accounts.people.email_syntax import parse_email
from app.accounts.people.handles import (
    HOLD_PERIOD,
    LONGEST,
    RESERVED,
    SHORTEST,
    HandleInvalid,
    HandleTaken,
    check_handle,
)
from app.accounts.people.users import NewUser, User, create_user
from app.db.engine import Database, Session
from app.db.unit_of_work import transact
from app.wording import duration
from tests.support.accounts import KEYS, new_address, new_person


@pytest.mark.parametrize("handle", ["abc", "Ada", "a1b", "ada-lovelace", "ada_lovelace", "a-b_c-1", "x" * 39])
def test_words_of_letters_and_digits_joined_by_single_hyphens_or_underscores_are_handles(handle: str) -> None:
    assert check_handle(handle) == handle


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least 3 letters or digits"),
        ("ab", "at least 3 letters or digits"),
        ("x" * 40, "at most 39 characters"),
        ("-ada", "^Begin and end with a letter or a digit"),
        ("ada-", "^Begin and end with a letter or a digit"),
        ("_ada", "^Begin and end with a letter or a digit"),
        ("ada_", "^Begin and end with a letter or a digit"),
        ("ada--l", "^Use single hyphens"),
        ("ada__l", "^Use single hyphens"),
        ("ada-_l", "^Use single hyphens"),
        ("ada l", "^Space can't be used here"),
        ("ada.l", r"^'\.' \(Full stop\) can't be used here"),
        ("ad\na", r"^U\+000a can't be used here"),
        ("ada\0", r"^U\+0000 can't be used here"),
        ("ad\u202ea", "^Right-to-left override can't be used here"),
        ("\u0430da", r"^'\u0430' \(Cyrillic small letter a\) can't be used here"),
        ("\uff41da", r"\(Fullwidth latin small letter a\) can't be used here"),
        ("ad\u0661", r"\(Arabic-indic digit one\) can't be used here"),
        ("ANNA\u0131", r"\(Latin small letter dotless i\) can't be used here"),
    ],
)
def test_anything_else_is_refused_with_a_message_that_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(HandleInvalid, match=message) as refused:
        check_handle(text, path=("input", "handle"))
    assert refused.value.path == ("input", "handle")


def test_the_messages_tell_the_limits_of_handles() -> None:
    assert f"Use {SHORTEST} to {LONGEST} letters" in HandleInvalid().message
    assert f"less than {duration(HOLD_PERIOD)} ago" in HandleTaken().message


@pytest.mark.parametrize(
    "text",
    ["admin", "Admin", "GRAPHQL", "sign-in", "sign_in", "SignIn", "Deleted_User", "deleteduser", "ad-min", "Anonymous"],
)
def test_reserved_words_are_refused_without_regard_to_case_hyphens_and_underscores(text: str) -> None:
    with pytest.raises(HandleInvalid, match="reserved"):
        check_handle(text)


def test_reserved_words_are_written_as_handles_are_compared() -> None:
    assert {word for word in RESERVED if word != word.lower() or "_" in word} == set()


async def _join(database: Database, address: str, handle: str | None = None, name: str | None = None) -> User:
    new = NewUser(email=parse_email(address), password_hash=None, handle=handle, first_name=name)

    async def make(session: Session) -> User:
        return await create_user(session, KEYS.abuse_key, new)

    return await transact(database, make)


async def test_a_handle_is_shown_as_typed_and_unique_without_regard_to_case(fresh_database: Database) -> None:
    first = await _join(fresh_database, "one@example.com", handle="Ada-L")
    second = await _join(fresh_database, "two@example.com", handle="aDA-l")
    assert first.handle == "Ada-L"
    assert second.handle.lower() != "ada-l"


async def test_two_who_take_one_handle_at_once_one_gets_it_and_the_other_a_generated_one(
    fresh_database: Database,
) -> None:
    people = await asyncio.gather(
        *(_join(fresh_database, f"person{number}@example.com", handle="Wanted") for number in range(8))
    )
    handles = [person.handle for person in people]
    assert handles.count("Wanted") == 1
    assert len({handle.lower() for handle in handles}) == 8


async def test_a_generated_handle_resembles_the_name(fresh_database: Database) -> None:
    person = await _join(fresh_database, "x@example.com", name="Zoë Müller-Smith")
    assert person.handle == "zoe-muller-smith"


async def test_a_generated_handle_does_not_resemble_the_address(fresh_database: Database) -> None:
    for address, name in (("grace.hopper@example.com", None), ("ada@example.com", "李")):
        person = await _join(fresh_database, address, name=name)
        assert re.fullmatch(r"user-\d{10}", person.handle)


async def test_a_generated_handle_that_is_taken_gets_a_number(fresh_database: Database) -> None:
    await new_person(fresh_database, handle="grace-hopper")
    person = await _join(fresh_database, "someone@example.com", name="Grace Hopper")
    assert re.fullmatch(r"grace-hopper-\d{4}", person.handle)


@pytest.mark.parametrize("name", ["Admin", "Sign In", "a", "___", "x" * 64, "-", "Ad-min"])
async def test_a_generated_handle_has_the_form_of_one_whatever_the_name(database: Database, name: str) -> None:
    person = await _join(database, new_address(), name=name)
    assert check_handle(person.handle) == person.handle


@pytest.mark.parametrize("around", [" ", "\n", "\u00a0", "\u200b"])
def test_a_handle_may_be_pasted_with_blanks_around_it(around: str) -> None:
    assert check_handle(f"{around}ada-lovelace{around}") == "ada-lovelace"
