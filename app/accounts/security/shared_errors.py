"""Errors that several rules about accounts raise: about addresses, passwords, mailed links and codes."""

from __future__ import annotations

from app.error_codes import ErrorCode
from app.errors import DomainError


class EmailTaken(DomainError):
    """An account has verified this address already. Sign in with it, or use another address."""

    code = ErrorCode.EMAIL_TAKEN


class WrongCredentials(DomainError):
    """No account has this e-mail address and password."""

    code = ErrorCode.WRONG_CREDENTIALS


class EmailUnverified(DomainError):
    """Verify this e-mail address first, by the link that was mailed to it."""

    code = ErrorCode.EMAIL_UNVERIFIED


class TokenExpired(DomainError):
    """This link is too old, was used already, or is no longer good. Ask for a new one."""

    code = ErrorCode.TOKEN_EXPIRED


class CodeWrong(DomainError):
    """This is not the code that was sent last. Only the last one can be used."""

    code = ErrorCode.CODE_WRONG


class CodeExpired(DomainError):
    """This code is too old, or was tried too often. Ask for a new one."""

    code = ErrorCode.CODE_EXPIRED
