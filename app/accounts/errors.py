"""What can go wrong with an account that a person can mend."""

from __future__ import annotations

from app.errors import DomainError, ErrorCode


class EmailTaken(DomainError):
    """Another account has verified this address. Sign in to it, or sign up with another address."""

    code = ErrorCode.EMAIL_TAKEN


class HandleInvalid(DomainError):
    """A User ID has 3 to 39 letters (A to Z) and digits, in words joined by single hyphens or underscores."""

    code = ErrorCode.HANDLE_INVALID


class HandleTaken(DomainError):
    """Another account has this User ID, or it was freed less than 30 days ago. Choose another one."""

    code = ErrorCode.HANDLE_TAKEN


class WrongCredentials(DomainError):
    """No account has this e-mail address and password."""

    code = ErrorCode.WRONG_CREDENTIALS


class TokenExpired(DomainError):
    """This link is too old or was used already. Ask for a new one."""

    code = ErrorCode.TOKEN_EXPIRED


class EmailUnverified(DomainError):
    """Verify the e-mail address first."""

    code = ErrorCode.EMAIL_UNVERIFIED


class LastOwner(DomainError):
    """A workspace can't be left without an owner. Make another member an owner first."""

    code = ErrorCode.LAST_OWNER


class CodeWrong(DomainError):
    """This is not the code that was sent."""

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
