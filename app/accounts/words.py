"""What people type: a line of text, several, or nothing."""

from __future__ import annotations

import unicodedata

from app.errors import InvalidInput

# control characters, lone surrogates, and the separators of lines and paragraphs
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def one_line(text: str, what: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str:
    """`text` without the blanks around it; `what` names it in the message, such as "A name".

    Raises `InvalidInput` when nothing is left, it has more than `at_most` characters, or holds control characters.
    """
    line = text.strip()
    if not line:
        raise InvalidInput(f"{what} can't be empty.", path=path)
    if len(line) > at_most:
        raise InvalidInput(f"{what} has at most {at_most} characters.", path=path)
    if any(unicodedata.category(letter) in _REFUSED for letter in line):
        raise InvalidInput(f"{what} is one line of text without control characters.", path=path)
    return line


def cleaned_line(text: str | None, *, at_most: int) -> str | None:
    """What no person typed here, made into one line: control characters become blanks, several blanks one, and the rest is cut.

    None where nothing is left.
    """
    letters = (" " if unicodedata.category(letter) in _REFUSED else letter for letter in text or "")
    return " ".join("".join(letters).split())[:at_most].strip() or None


def optional_line(text: str | None, what: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str | None:
    """`one_line`, or None for nothing and for blanks only."""
    if text is None or not text.strip():
        return None
    return one_line(text, what, at_most=at_most, path=path)


def optional_text(text: str | None, what: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str | None:
    """Lines of text without the blanks around them, or None for nothing and for blanks only.

    Raises `InvalidInput` when it has more than `at_most` characters, or holds control characters other than the ends of lines.
    """
    if text is None or not text.strip():
        return None
    lines = text.strip().replace("\r\n", "\n")
    if len(lines) > at_most:
        raise InvalidInput(f"{what} has at most {at_most:,} characters.", path=path)
    if any(unicodedata.category(letter) in _REFUSED for letter in lines.replace("\n", "").replace("\t", "")):
        raise InvalidInput(f"{what} is text without control characters.", path=path)
    return lines
