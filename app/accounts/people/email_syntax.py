"""The syntax of e-mail addresses, and the key by which two are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.accounts.security.text_input import trimmed
from app.errors import InvalidInput

MOST_CHARACTERS = 254
_MOST_LOCAL_CHARACTERS = 64
_MOST_LABEL_CHARACTERS = 63
_NOT_ASCII_BEFORE = "Addresses with letters such as é or ü before the @ can't be used here. Use one without."
_NOT_ASCII_AFTER = (
    "Write the domain of an e-mail address in ASCII: one with letters such as é or ü as its Punycode, xn--…"
)
_NOT_IN_LOCAL_PART = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]")
_NOT_IN_DOMAIN = re.compile(r"[^a-z0-9.-]")


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """An address as it was typed, but for the domain in lower case; two addresses with the same `key` are the same."""

    address: str
    key: str


def parse_email(text: str, *, path: tuple[str, ...] | None = None) -> EmailAddress:
    """Parse an address, ignoring blanks and invisible characters around it.

    Raises `InvalidInput`, which says what is wrong. Letters outside ASCII are refused: with them an address can look like another.
    """
    address = trimmed(text)
    if len(address) > MOST_CHARACTERS:
        raise InvalidInput(f"An e-mail address has at most {MOST_CHARACTERS} characters.", path=path)
    if not address.isascii():
        message = _NOT_ASCII_BEFORE if not address.rpartition("@")[0].isascii() else _NOT_ASCII_AFTER
        raise InvalidInput(message, path=path)
    if not address.isprintable():
        raise InvalidInput("An e-mail address can't hold control characters.", path=path)
    local, at, domain = address.rpartition("@")
    domain = domain.lower()
    problem = _local_part_problem(local) or _domain_problem(domain) if at else "An e-mail address has an @ in it."
    if problem is not None:
        raise InvalidInput(f"{problem} Write one like name@example.com.", path=path)
    return EmailAddress(f"{local}@{domain}", f"{local.lower()}@{domain}")


def _local_part_problem(text: str) -> str | None:
    """What is wrong with the part before the @, as a sentence of the message; None if nothing is."""
    if not text:
        return "There is nothing before the @ of this e-mail address."
    if "@" in text:
        return "An e-mail address has a single @."
    invalid = _NOT_IN_LOCAL_PART.search(text)
    if invalid is not None:
        return f"An e-mail address can't have {_named(invalid.group())} before the @."
    if len(text) > _MOST_LOCAL_CHARACTERS:
        return f"An e-mail address has at most {_MOST_LOCAL_CHARACTERS} characters before the @."
    if not all(text.split(".")):
        return "An e-mail address can't have a dot first or last before the @, nor two in a row."
    return None


def _domain_problem(text: str) -> str | None:
    """What is wrong with the part after the @, given in lower case; None if nothing is."""
    if not text:
        return "There is nothing after the @ of this e-mail address."
    invalid = _NOT_IN_DOMAIN.search(text)
    if invalid is not None:
        return f"An e-mail address can't have {_named(invalid.group())} after the @."
    labels = text.split(".")
    if not all(labels):
        return "An e-mail address can't have a dot first or last after the @, nor two in a row."
    if len(labels) == 1:
        return "There is no dot after the @ of this e-mail address."
    if labels[-1].isdigit():
        return "An e-mail address can't end in a number after the @."
    return next(filter(None, map(_label_problem, labels)), None)


def _label_problem(text: str) -> str | None:
    if len(text) > _MOST_LABEL_CHARACTERS:
        return f"An e-mail address has at most {_MOST_LABEL_CHARACTERS} characters between two dots after the @."
    if text.startswith("-") or text.endswith("-"):
        return f"After the @ of an e-mail address no part begins or ends with a hyphen, as “{text}” does."
    return None


def _named(character: str) -> str:
    return "a blank" if character == " " else f"“{character}”"
