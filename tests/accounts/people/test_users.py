"""The initials of a user, shown in place of an avatar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.accounts.people.users import User, Visibility
from app.ids import uuid7


@pytest.mark.parametrize(
    ("first", "last", "initials"),
    [
        ("Ada", "Lovelace", "AL"),
        ("ada", None, "A"),
        (None, "lovelace", "L"),
        ("ßtraße", "Sharp", "ßS"),
        ("ﬁona", "ﬄ", "ﬁﬄ"),
        ("ǆ", "ŉ", "Ǆŉ"),
        ("e\u0301mile", "zola", "ÉZ"),
        ("’t", "Hooft", "TH"),
        ("\u200b\u200eada", "(King)", "AK"),
        ("🎉", "李", "🎉李"),
        ("!", None, "!"),
        ("\u200b", None, "HA"),
        (None, None, "HA"),
    ],
)
def test_initials_are_one_visible_letter_for_each_name(first: str | None, last: str | None, initials: str) -> None:
    assert _someone("h-a", first, last).initials == initials


def _someone(handle: str, first: str | None, last: str | None) -> User:
    return User(
        id=uuid7(),
        handle=handle,
        first_name=first,
        last_name=last,
        company=None,
        job_title=None,
        bio=None,
        visibility=Visibility.PRIVATE,
        personal_workspace_id=uuid7(),
        created_at=datetime(2030, 1, 1, tzinfo=UTC),
    )
