"""The texts of all mails (plain text and HTML) and text messages.

No mail repeats what somebody typed into a form, such as a name: a stranger could so send any text to any address. (What goes to
the sellers does, since they asked for it, and gave their address.) Only the User ID
of an account, or a workspace's, is named, where a mail must say what it is about: it is short, can hold no link, and stands between
quotation marks, where a name is expected.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from app.messages.mail import Mail
from app.messages.mail_parts import mail as _mail
from app.messages.mail_parts import moment as _moment
from app.messages.mail_parts import until as _until
from app.messages.mail_parts import workspace as _workspace
from app.messages.sms_codes import CODE_LIFETIME
from app.wording import duration

# also right for an account without a password, and for one whose password somebody else changed
_IF_NOT_YOU = (
    "If this was not you, choose a new password at once, by the link for those who forgot theirs: "
    "that signs everyone else out."
)
_ELSE_WRITE = "If you can't, write to those who run this service."


def confirm_address(to: str, link: str, lifetime: timedelta, *, asked_at: datetime) -> Mail:
    """For someone who signed up: the link that makes the account, and when they signed up, since others may use the address too."""
    return _mail(
        to,
        "Confirm your e-mail address",
        f"An account was asked for with this e-mail address on {asked_at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC. Follow this link "
        "to confirm the address and open that account:",
        "Follow it only if it was you who asked then: whoever asked at that time chose the password of the account. The link works "
        f"once, within {duration(lifetime)}. If you did not ask, do nothing: without the link, no account is opened.",
        link=link,
    )


def already_registered(to: str) -> Mail:
    """For someone who signed up with an address that has an account."""
    return _mail(
        to,
        "You already have an account",
        "Someone, probably you, asked for an account with this e-mail address. You already have one: sign in as you usually do. If "
        "you don't know its password, or never chose one, ask for the link for those who forgot theirs.",
        "If this was not you, there is nothing to do.",
    )


def verify_address(to: str, link: str, lifetime: timedelta, handle: str) -> Mail:
    """For someone who added this address to an account: the link that verifies it, and which account it will then belong to."""
    return _mail(
        to,
        "Verify your e-mail address",
        f"This e-mail address was added to {_account(handle)}. Follow this link to verify it, which lets that account use this "
        "address, to sign in and to choose a new password:",
        f"Follow it only if that account is yours. The link works once, within {duration(lifetime)}. If you did not add this "
        "address to an account, there is nothing to do.",
        link=link,
    )


def address_added(to: str, handle: str) -> Mail:
    """For the primary address, when another one was verified for the account."""
    return _mail(
        to,
        "An e-mail address was added to your account",
        f"Another e-mail address was verified for {_account(handle)}. From now on it can be used to sign in, and to choose a new "
        "password.",
        f"{_IF_NOT_YOU} Then remove every address that is not yours. {_ELSE_WRITE}",
    )


def primary_address_changed(to: str, handle: str) -> Mail:
    """For the address that was the primary one until now."""
    return _mail(
        to,
        "Your primary e-mail address was changed",
        f"Mail about {_account(handle)} goes to another of its addresses from now on.",
        f"{_IF_NOT_YOU} Then make this address primary again, and remove every address that is not yours. If you can't, perhaps "
        "since this address was removed too, write to those who run this service.",
    )


def primary_address_replaced(to: str, handle: str) -> Mail:
    """For the address that became the primary one since the identity provider no longer tells the one before."""
    return _mail(
        to,
        "Your primary e-mail address was changed",
        f"Mail about {_account(handle)} goes to this address from now on, since the service that you sign in with no longer names "
        "the former one. The former one can't be used any more to sign in, or to choose a new password.",
        f"{_IF_NOT_YOU} {_ELSE_WRITE}",
    )


def address_removed(to: str, handle: str) -> Mail:
    """For an address that had been verified and was removed from the account."""
    return _mail(
        to,
        "This e-mail address was removed from your account",
        f"This e-mail address was removed from {_account(handle)}. It can no longer be used to sign in there, or to choose a new "
        "password.",
        "If this was not you, sign in with another address of the account, change your password, which signs everyone else out, "
        f"and remove every address that is not yours. {_ELSE_WRITE}",
    )


def another_address_removed(to: str, handle: str) -> Mail:
    """For the primary address, when another one that had been verified was removed from the account."""
    return _mail(
        to,
        "An e-mail address was removed from your account",
        f"A verified e-mail address was removed from {_account(handle)}. It can no longer be used to sign in, or to choose a new "
        "password.",
        f"{_IF_NOT_YOU} Then remove every address that is not yours. {_ELSE_WRITE}",
    )


def reset_password(to: str, link: str, lifetime: timedelta) -> Mail:
    """For someone who forgot the password: the link to choose another one."""
    return _mail(
        to,
        "Choose a new password",
        "Follow this link to choose a new password for your account:",
        f"The link works once, within {duration(lifetime)}. If you did not ask for it, do nothing: your password stays as it is.",
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


def reauthentication_code(to: str, code: str, lifetime: timedelta) -> Mail:
    """For someone without a password who re-authenticates."""
    return _mail(
        to,
        "Your code",
        f"{code} is your code to confirm what you are about to do with your account.",
        f"It is good for {duration(lifetime)}. Never pass it on. If you did not ask for it, do nothing.",
        code=code,
    )


def invitation(to: str, link: str, lifetime: timedelta) -> Mail:
    """For someone who is invited to an organization, whether or not they have an account or are in it already.

    It names neither the organization nor who invites: both names were typed by somebody whom the reader may not know.
    """
    return _mail(
        to,
        "You are invited to an organization",
        "You are invited to join an organization. Follow this link to see which one it is, and to accept:",
        f"The link works once, within {duration(lifetime)}, for an account that has verified this e-mail address. If you expect "
        "no invitation, do nothing: without the link, you join nothing.",
        link=link,
    )


def ended_unpaid(to: str, handle: str) -> Mail:
    """For the owners of a workspace whose subscription ended since nobody paid it."""
    return _mail(
        to,
        "Your subscription ended unpaid",
        f"The subscription of {_workspace(handle)} has ended, since its renewal was not paid. What you have is kept.",
        "Nothing will be charged for it any more: the open invoices are called off. You can subscribe again on the billing page.",
    )


def subscription_ended(to: str, handle: str) -> Mail:
    """For the owners of a workspace whose subscription ended as decided."""
    return _mail(
        to,
        "Your subscription has ended",
        f"The subscription of {_workspace(handle)} has ended, as it was set to. What you have is kept.",
        "Nothing will be charged for it any more. You can subscribe again on the billing page.",
    )


def plan_moved(to: str, handle: str, plan: str, refund: str | None) -> Mail:
    """For the owners of a workspace that moved to another plan; `refund` is what goes back, with its currency, None for nothing."""
    back = f" {refund} is refunded to the card that paid it." if refund is not None else ""
    return _mail(
        to,
        f"You moved to {plan}",
        f"{_workspace(handle)} is on the plan {plan} from now on.{back}",
        "The plan before has ended, and nothing more will be charged for it. What you have is kept.",
    )


def last_card_gone(to: str, handle: str) -> Mail:
    """For the owners of a workspace with a paid subscription and no card."""
    return _mail(
        to,
        "Your subscription has no card",
        f'The workspace "{handle}" has a paid subscription, and no card is left that it could be charged to.',
        "Add a card on the billing page before the subscription renews.",
    )


def paid_twice(to: str, handle: str) -> Mail:
    """For the owners of a workspace for which two subscriptions were bought."""
    return _mail(
        to,
        "A second subscription was refunded",
        f"Two subscriptions were bought for {_workspace(handle)}. The second one was canceled, and what was paid for it goes back "
        "to the card.",
        "There is nothing to do: the first subscription goes on.",
    )


def change_lapsed(to: str, handle: str) -> Mail:
    """For the owners of a workspace whose change waited for a payment that nobody confirmed."""
    return _mail(
        to,
        "A change of your subscription was not made",
        f"A change of the subscription of {_workspace(handle)} waited for its payment, which was not confirmed in time.",
        "Nothing was charged, and the subscription is as it was before. You can ask for the change again on the billing page.",
    )


def seat_awaits_payment(to: str, handle: str, until: datetime | None, page: str | None) -> Mail:
    """For the owners of a workspace in which somebody waits for a seat that the bank wants confirmed; `page` is where."""
    return _mail(
        to,
        "Confirm the payment of a seat",
        f"Somebody accepted an invitation to {_workspace(handle)}, and no seat was free. Your bank wants you to confirm the "
        f"payment of another one{_until(until)}.",
        "They join by themselves once it is paid. Without it nothing is charged, and nobody joins.",
        link=page,
    )


def seat_not_bought(to: str, handle: str) -> Mail:
    """For the owners of a workspace in which somebody waited for a seat that could not be paid for."""
    return _mail(
        to,
        "A seat could not be paid for",
        f"Somebody accepted an invitation to {_workspace(handle)}, and no seat was free. Another one could not be paid for with "
        "your default card. Nothing was charged, and nobody has joined.",
        "Choose another card on the billing page, or make room. The link of the invitation can then be followed again.",
    )


def trial_ends_soon(to: str, handle: str, until: datetime | None) -> Mail:
    """For the owners of a workspace on a free trial, some days before its end."""
    last_day = f" on {_moment(until)}" if until is not None else " soon"
    return _mail(
        to,
        "Your free trial ends soon",
        f"The free trial of {_workspace(handle)} ends{last_day}. Choose a plan on the billing page to go on without a break.",
        "If you do nothing, nothing is charged, a saved card neither, and what you have is kept.",
    )


def trial_ended(to: str, handle: str) -> Mail:
    """For the owners of a workspace whose free trial has ended."""
    return _mail(
        to,
        "Your free trial has ended",
        f"The free trial of {_workspace(handle)} has ended. What you have is kept.",
        "Nothing was charged, and nothing will be. You can choose a plan on the billing page.",
    )


def plan_given(to: str, handle: str, until: datetime | None) -> Mail:
    """For the owners of a workspace that those who run the service have put on a plan."""
    last_day = f" It ends on {_moment(until)}." if until is not None else ""
    return _mail(
        to,
        "Your plan has changed",
        f"Those who run this service have put {_workspace(handle)} on another plan.{last_day}",
        "What it includes is on the billing page. Nothing is charged for it here.",
    )


def given_plan_ended(to: str, handle: str) -> Mail:
    """For the owners of a workspace whose plan, which those who run the service had given it, has ended."""
    return _mail(
        to,
        "Your plan has ended",
        f"The plan of {_workspace(handle)}, which those who run this service had set, has ended. What you have is kept.",
        "You can choose a plan on the billing page.",
    )


def sales_request(to: str, handle: str, answer_to: str, message: str | None) -> Mail:
    """For the sellers, whom an owner of a workspace asked to get in touch; an answer goes to the owner."""
    mail = _mail(
        to,
        f'A request for sales from "{handle}"',
        f"An owner of {_workspace(handle)} asks you to get in touch. Answer this mail, or write to {answer_to}.",
        f"What they wrote:\n\n{message}" if message else "They wrote nothing about it.",
    )
    return replace(mail, reply_to=answer_to)


def refund_failed(to: str, handle: str, amount: str, reason: str | None) -> Mail:
    """For those who run the service: a refund of time that was paid for and not used has failed."""
    return _mail(
        to,
        f'A refund to "{handle}" failed',
        f"A refund of {amount} to {_workspace(handle)}, which left a plan, has failed: {reason or 'Stripe gives no reason'}.",
        f"`counterfoil workspace refund-again {handle}` repeats it. Otherwise return the money in another way.",
    )


def phone_code(code: str) -> str:
    """The text message with a code."""
    return (
        f"{code} is your code to verify this phone number. It is good for {duration(CODE_LIFETIME)}. Never pass it on."
    )


def _account(handle: str) -> str:
    return f'the account with the User ID "{handle}"'
