"""Everything this service writes to people, as plain text and HTML.

No mail repeats what a stranger typed into a form, such as a name: it would reach whoever's address they typed beside it.
"""

from __future__ import annotations

from html import escape

from app.ids import uuid7
from app.messages.mail import Mail


def confirm_address(to: str, link: str) -> Mail:
    """For someone who signed up: the link that opens the account."""
    return _mail(
        to,
        "Confirm your e-mail address",
        "Follow this link to confirm your e-mail address and open your account:",
        "The link works once, within 24 hours. If you did not ask for an account, do nothing: without the link, none is opened.",
        link=link,
    )


def already_registered(to: str) -> Mail:
    """For someone who signed up with an address that has an account."""
    return _mail(
        to,
        "You already have an account",
        "Someone, probably you, asked for an account with this e-mail address. You already have one: sign in with its password.",
        "If this was not you, there is nothing to do.",
    )


def verify_address(to: str, link: str) -> Mail:
    """For someone who added this address to an account: the link that verifies it."""
    return _mail(
        to,
        "Verify your e-mail address",
        "Follow this link to verify this e-mail address for your account:",
        "The link works once, within 24 hours. If you did not add this address to an account, there is nothing to do.",
        link=link,
    )


def primary_address_changed(to: str) -> Mail:
    """For the address that was the primary one until now."""
    return _mail(
        to,
        "Your primary e-mail address was changed",
        "Mail about your account goes to another of your addresses from now on.",
        "If this was not you, sign in, make this address primary again and change your password.",
    )


def reset_password(to: str, link: str) -> Mail:
    """For someone who forgot the password: the link to choose another one."""
    return _mail(
        to,
        "Choose a new password",
        "Follow this link to choose a new password for your account:",
        "The link works once, within an hour. If you did not ask for it, do nothing: your password stays as it is.",
        link=link,
    )


def no_account(to: str) -> Mail:
    """For someone who asked to reset the password of an address that has no account."""
    return _mail(
        to,
        "There is no account with this address",
        "Someone, probably you, asked to choose a new password for the account with this e-mail address. There is no such account.",
        "Perhaps you signed up with another address. If this was not you, there is nothing to do.",
    )


def password_changed(to: str) -> Mail:
    """For someone whose password was just changed."""
    return _mail(
        to,
        "Your password was changed",
        "The password of your account was just changed, and you were signed out everywhere else.",
        "If this was not you, choose a new password at once, by the link for those who forgot theirs.",
    )


def reauthentication_code(to: str, code: str) -> Mail:
    """For someone without a password, who must prove once more who they are."""
    return _mail(
        to,
        "Your code",
        f"{code} is your code to confirm what you are about to do with your account.",
        "It is good for 10 minutes. Never pass it on. If you did not ask for it, do nothing.",
    )


def invitation(to: str, link: str) -> Mail:
    """For someone who is invited to an organization, whether or not they have an account or are in it already.

    It names neither the organization nor who invites: both are a stranger's words, which could say anything to anyone.
    """
    return _mail(
        to,
        "You are invited to an organization",
        "You are invited to join an organization. Follow this link to see which one it is, and to accept:",
        "The link works once, within 7 days, for an account that has verified this e-mail address. If you expect no invitation, do "
        "nothing: without the link, you join nothing.",
        link=link,
    )


def phone_code(code: str) -> str:
    """The text message with a code."""
    return f"{code} is your code to verify this phone number. It is good for 10 minutes. Never pass it on."


def _mail(to: str, subject: str, opening: str, closing: str, *, link: str | None = None) -> Mail:
    paragraphs = [opening, *([link] if link else []), closing]
    blocks = [f'<a href="{escape(part)}">{escape(part)}</a>' if part == link else escape(part) for part in paragraphs]
    body = "\n".join(f"<p>{block}</p>" for block in blocks)
    return Mail(
        id=str(uuid7()),
        to=to,
        subject=subject,
        text="\n\n".join(paragraphs) + "\n",
        html=f'<!doctype html>\n<html lang="en"><title>{escape(subject)}</title>\n<body>\n{body}\n</body></html>\n',
        links=(link,) if link else (),
    )
