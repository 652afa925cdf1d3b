"""Errors about accounts that the person asking can mend, raised by several modules of this package."""

from __future__ import annotations

from app.errors import DomainError, ErrorCode


class EmailTaken(DomainError):
    """An account has verified this address already. Sign in with it, or use another address."""

    code = ErrorCode.EMAIL_TAKEN


class AccountClosing(DomainError):
    """This account is being deleted: it joins and makes no organization any more."""

    code = ErrorCode.CONFLICT


class WrongCredentials(DomainError):
    """No account has this e-mail address and password."""

    code = ErrorCode.WRONG_CREDENTIALS


class EmailUnverified(DomainError):
    """Verify this e-mail address first, by the link that was mailed to it."""

    code = ErrorCode.EMAIL_UNVERIFIED


class AddressVerified(DomainError):
    """This address is verified already: no link was mailed."""

    code = ErrorCode.NO_CHANGE


class PrimaryEmail(DomainError):
    """The primary address can't be removed. Make another one primary first."""

    code = ErrorCode.PRIMARY_EMAIL


class ReauthenticationRequired(DomainError):
    """Prove again who you are."""

    code = ErrorCode.REAUTHENTICATION_REQUIRED


class LastOwner(DomainError):
    """A workspace can't be left without an owner. Make somebody else an owner first."""

    code = ErrorCode.LAST_OWNER


class TokenExpired(DomainError):
    """This link is too old, was used already, or is no longer good. Ask for a new one."""

    code = ErrorCode.TOKEN_EXPIRED


class CodeWrong(DomainError):
    """This is not the code that was sent last. Only the last one can be used."""

    code = ErrorCode.CODE_WRONG


class CodeExpired(DomainError):
    """This code is too old, or was tried too often. Ask for a new one."""

    code = ErrorCode.CODE_EXPIRED


class PhoneInUse(DomainError):
    """This phone number has verified as many workspaces as one may. Use another number."""

    code = ErrorCode.PHONE_IN_USE


class PhoneUnverified(DomainError):
    """Verify a phone number for this workspace first."""

    code = ErrorCode.PHONE_UNVERIFIED
