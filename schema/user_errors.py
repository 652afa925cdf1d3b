"""`userErrors`: what a person can mend, as data in the payload."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import strawberry

from app import errors
from app.accounts.people.handles import HOLD_PERIOD
from app.error_codes import ErrorCode
from app.errors import DomainError
from app.metering.usage_events import OLDEST
from app.wording import duration
from schema.enums import described
from schema.input_texts import LARGEST_FILE, LARGEST_PICTURE

described(
    ErrorCode,
    "What kind of thing a person can mend; programs switch on it, people read the message.",
    {
        ErrorCode.INVALID_INPUT: "A value is not acceptable; path says which.",
        ErrorCode.CONFLICT: (
            "Something else stands against this now: another workspace has the externalId, the workspace or the account is being "
            "deleted, or somebody changed the same thing at this moment. The message says which; look again before you retry."
        ),
        ErrorCode.EMAIL_TAKEN: "An account has verified this address already; told only to the holder of the mailed link.",
        ErrorCode.HANDLE_TAKEN: (
            f"Another user or organization goes by this handle, or did so less than {duration(HOLD_PERIOD)} ago."
        ),
        ErrorCode.REAUTHENTICATION_REQUIRED: "Prove again who you are: the password, or a mailed code.",
        ErrorCode.HANDLE_INVALID: "The handle (User ID) does not have the form of one, or is reserved.",
        ErrorCode.WRONG_CREDENTIALS: "Address and password do not belong together, or the current password is another one.",
        ErrorCode.EMAIL_UNVERIFIED: (
            "The account has not verified the e-mail address that this needs, or does not have it: the message says which."
        ),
        ErrorCode.LAST_OWNER: "A workspace can't be left without an owner.",
        ErrorCode.PRIMARY_EMAIL: "The primary address can't be removed; make another one primary first.",
        ErrorCode.CODE_WRONG: "This is not the code that was sent.",
        ErrorCode.CODE_EXPIRED: "The code is too old or was tried too often; ask for a new one.",
        ErrorCode.TOKEN_EXPIRED: "The mailed link is too old, used or unknown; ask for a new one.",
        ErrorCode.PHONE_UNVERIFIED: "The workspace needs a verified phone first.",
        ErrorCode.PHONE_IN_USE: "This number has verified as many workspaces as a number may.",
        ErrorCode.FILE_TOO_LARGE: f"The file has more than {LARGEST_FILE}, or the picture in it more than {LARGEST_PICTURE}.",
        ErrorCode.FILE_TYPE: "The file is neither JPEG nor PNG, or it is damaged: the message says which.",
        ErrorCode.PAYMENT_METHOD_REQUIRED: "There is no card to charge; add one first.",
        ErrorCode.PAYMENT_DECLINED: "The card was declined; nothing was charged.",
        ErrorCode.PAYMENT_ACTION_REQUIRED: "The bank wants the cardholder to confirm the payment.",
        ErrorCode.PAYMENT_PENDING: "The payment is under way; watch it, or ask again with the same key: another could pay twice.",
        ErrorCode.PAYMENT_UNAVAILABLE: "The payment provider can't be reached; nothing was charged; try again.",
        ErrorCode.BILLING_ADDRESS_REQUIRED: "The tax depends on the country: give a billing address first.",
        ErrorCode.URL_NOT_ALLOWED: "The address to return to is not allowed: its origin is not on this server's list.",
        ErrorCode.SPEND_LIMIT_REACHED: (
            "This would pass the limit of what may be spent on credits in a month. Refunds do not free it; an operator can raise "
            "it: ask with contactSales."
        ),
        ErrorCode.INSUFFICIENT_CREDITS: "There are fewer credits available than this takes.",
        ErrorCode.HOLD_CLOSED: "The hold was already captured, released, or has lapsed.",
        ErrorCode.EVENT_TOO_OLD: f"Usage of more than {duration(OLDEST)} ago is not counted any more.",
        ErrorCode.UNKNOWN_RESOURCE: "The catalog has no resource of this code.",
        ErrorCode.UNKNOWN_WORKSPACE: "There is no workspace with this id or external id.",
        ErrorCode.IDEMPOTENCY_CONFLICT: "This idempotency key was already used with another input.",
        ErrorCode.PLAN_UNAVAILABLE: "There is no such plan, it is not sold any more, or it is not billed as often as asked.",
        ErrorCode.SEATS_IN_USE: "No seat is free for one more member, or more members hold one than there would be seats.",
        ErrorCode.SEAT_LIMIT: "The plan can't have so many seats, or so few; the message says what it can have.",
        ErrorCode.NO_CHANGE: "There is nothing to do: things already are as asked.",
        ErrorCode.NOT_SELF_SERVE: "The plan is arranged with sales; the message says where.",
        ErrorCode.PRICE_CHANGED: "The quote has lapsed or is for something else, or the price is another by now; look at it again.",
        ErrorCode.BONUS_UNAVAILABLE: "Reserved for a welcome bonus; nothing answers it yet.",
    },
)


@strawberry.interface(description="What a person can mend.")
class UserError:
    code: ErrorCode = strawberry.field(description="What kind of error this is.")
    message: str = strawberry.field(description="What happened and what to do about it, in English, fit to be shown.")
    path: list[str] | None = strawberry.field(
        description='The input field at fault, e.g. ["input", "packCode"]; null for none in particular.'
    )


@strawberry.type(description="An error that needs no more than its code and message.")
class BasicError(UserError):
    pass


@strawberry.type(
    description="The bank wants the cardholder: confirm with Stripe.js or the mobile SDK, then watch creditPurchaseChanged."
)
class PaymentActionRequired(UserError):
    client_secret: str = strawberry.field(description="For confirmCardPayment of Stripe.js or the mobile SDK.")
    hosted_url: str | None = strawberry.field(description="A page of the card's issuer for clients without an SDK.")


@strawberry.type(description="The card was declined; nothing was charged.")
class PaymentDeclined(UserError):
    decline_code: str | None = strawberry.field(
        description="The issuer's reason as Stripe names it, e.g. insufficient_funds."
    )


def user_error(error: DomainError) -> UserError:
    """The entry of `userErrors` that `error` is."""
    path = list(error.path) if error.path is not None else None
    if isinstance(error, errors.PaymentActionRequired):
        return PaymentActionRequired(
            code=error.code,
            message=error.message,
            path=path,
            client_secret=error.client_secret,
            hosted_url=error.hosted_url,
        )
    if isinstance(error, errors.PaymentDeclined):
        return PaymentDeclined(code=error.code, message=error.message, path=path, decline_code=error.decline_code)
    return BasicError(code=error.code, message=error.message, path=path)


Value = TypeVar("Value")
P = TypeVar("P")


async def answer(payload: Callable[..., P], of: Callable[[Value], P], work: Awaitable[Value]) -> P:
    """The payload of a mutation: what `work` returns mapped by `of`, or the error it raises as `userErrors`."""
    try:
        value = await work
    except DomainError as error:
        return payload(user_errors=[user_error(error)])
    return of(value)


USER_ERRORS = "What the person can mend; empty on success."


def no_errors() -> list[UserError]:
    """The `userErrors` of success."""
    return []
