"""How large an uploaded picture may be: its file, and its pixels."""

from __future__ import annotations

from typing import ClassVar, Final

from app.error_codes import ErrorCode
from app.errors import DomainError
from app.wording import size

LARGEST_FILE_BYTES: Final = 20_000_000


class FileTooLarge(DomainError):
    """This file is larger than {most}. Choose a smaller one."""

    code = ErrorCode.FILE_TOO_LARGE
    placeholders: ClassVar = {"most": size(LARGEST_FILE_BYTES)}


MOST_PIXELS: Final = 64_000_000
