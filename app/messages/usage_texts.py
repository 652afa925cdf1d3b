"""The texts of mails about usage: see `app.messages.message_texts` for what no mail says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.messages.mail import Mail
from app.messages.mail_parts import mail, moment, workspace


def limit_near(to: str, handle: str, resets_at: datetime | None, facts: Mapping[str, str]) -> Mail:
    """For the owners of a workspace that has used most of what its plan includes; see `_standing` for the facts."""
    return mail(
        to,
        f"{facts['resource']}: {facts['percent']} % of your plan's limit is used",
        f"{_standing(handle, facts)} {_reset(resets_at)}",
        _past(facts),
    )


def limit_reached(to: str, handle: str, resets_at: datetime | None, facts: Mapping[str, str]) -> Mail:
    """For the owners of a workspace that has used all that its plan includes; see `_standing` for the facts."""
    return mail(
        to,
        f"{facts['resource']}: your plan's limit is reached",
        f"{_standing(handle, facts)} {_reset(resets_at)}",
        _past(facts),
    )


def _standing(handle: str, facts: Mapping[str, str]) -> str:
    """Of which resource how much is used, and of how much, as people read it: `resource`, `unit`, `used`, `limit`."""
    used = f"{facts['used']} of {facts['limit']} (unit: {facts['unit']})"
    return f"{facts['resource']}: {workspace(handle)} has used {used}."


def _reset(resets_at: datetime | None) -> str:
    if resets_at is None:
        return "This is a level: it falls when less is kept, and does not start anew by itself."
    return f"Counting starts anew on {moment(resets_at)}."


def _past(facts: Mapping[str, str]) -> str:
    if facts["past"] == "credits":
        return "What is used past the limit is paid with the credits of the workspace, as long as there are any."
    return (
        "Credits do not pay for use past the limit. Whether more can be used before a plan with a higher limit is chosen is "
        "decided by the product that this workspace belongs to."
    )
