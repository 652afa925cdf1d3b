"""E-mail addresses: how they are written, and when two are the same."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.errors import InvalidInput

_MOST_CHARACTERS = 254
_MOST_LOCAL_LETTERS = 64
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An address as its owner writes it, the domain in lower case; two with one `key` are the same address."""

    address: str
    key: str


def parse_email(text: str, *, path: tuple[str, ...] | None = None) -> EmailAddress:
    """The address that `text` is, without the blanks around it.

    Raises `InvalidInput` saying what is wrong. Letters outside ASCII are refused: they can be made to look like another's address.
    """
    address = text.strip()
    if len(address) > _MOST_CHARACTERS:
        raise InvalidInput(f"An e-mail address has at most {_MOST_CHARACTERS} characters.", path=path)
    if not address.isascii():
        raise InvalidInput("An e-mail address is written in ASCII; write its domain in Punycode.", path=path)
    if not address.isprintable():
        raise InvalidInput("An e-mail address can't hold control characters.", path=path)
    local, at, domain = address.rpartition("@")
    domain = domain.lower()
    if not at or not _is_local_part(local) or not _is_domain(domain):
        raise InvalidInput("This is not an e-mail address. Write one like name@example.com.", path=path)
    return EmailAddress(f"{local}@{domain}", f"{local.lower()}@{domain}")


def _is_local_part(text: str) -> bool:
    return len(text) <= _MOST_LOCAL_LETTERS and _LOCAL_PART.fullmatch(text) is not None


def _is_domain(text: str) -> bool:
    labels = text.split(".")
    return len(labels) > 1 and not labels[-1].isdigit() and all(map(_DOMAIN_LABEL.fullmatch, labels))
