"""What people type: a line of text, several, or nothing; always something that can be seen, and that leaves what stands beside it
as it is."""

from __future__ import annotations

import unicodedata

from app.errors import InvalidInput

# control characters, lone surrogates, and the separators of lines and paragraphs
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
# letters of their categories that are drawn as nothing
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# what scripts from Arabic to emoji need within words; other characters of format hide, or turn the text after them around
_WITHIN_WORDS = frozenset("\u061c\u200c\u200d\u200e\u200f")
_SEEN = ("L", "N", "P", "S")


def one_line(text: str, what: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str:
    """`text` without the blanks around it; `what` names it in the message, such as "A name".

    Raises `InvalidInput` when nothing is left that can be seen, it has more than `at_most` characters, or holds control characters,
    invisible ones, or such as turn the direction of text.
    """
    line = text.strip()
    if not line:
        raise InvalidInput(f"{what} can't be empty.", path=path)
    if len(line) > at_most:
        raise InvalidInput(f"{what} has at most {at_most} characters.", path=path)
    if any(map(_is_control, line)):
        raise InvalidInput(f"{what} is one line of text without control characters.", path=path)
    _require_seen(line, what, path)
    return line


def cleaned_line(text: str | None, *, at_most: int) -> str | None:
    """What no person typed here, made into one line: control characters become blanks, several blanks one, what is invisible goes,
    and the rest is cut.

    None where nothing is left.
    """
    letters = (" " if _is_control(letter) else letter for letter in text or "" if not _is_hidden(letter))
    line = " ".join("".join(letters).split())[:at_most].strip()
    return line if any(map(_is_seen, line)) else None


def optional_line(text: str | None, what: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str | None:
    """`one_line`, or None for nothing and for blanks only."""
    if text is None or not text.strip():
        return None
    return one_line(text, what, at_most=at_most, path=path)


def optional_text(text: str | None, what: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str | None:
    """Lines of text without the blanks around them, or None for nothing and for blanks only.

    Raises `InvalidInput` as `one_line` does, but that lines may end and have tabs.
    """
    if text is None or not text.strip():
        return None
    lines = text.strip().replace("\r\n", "\n")
    if len(lines) > at_most:
        raise InvalidInput(f"{what} has at most {at_most:,} characters.", path=path)
    if any(_is_control(letter) for letter in lines if letter not in "\n\t"):
        raise InvalidInput(f"{what} is text without control characters.", path=path)
    _require_seen(lines, what, path)
    return lines


def _require_seen(text: str, what: str, path: tuple[str, ...] | None) -> None:
    if any(map(_is_hidden, text)):
        raise InvalidInput(
            f"{what} can't hold invisible characters, or such as turn the direction of text. Type it anew.", path=path
        )
    if not any(map(_is_seen, text)):
        raise InvalidInput(f"{what} needs something that can be seen.", path=path)


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) in _CONTROLS


def _is_hidden(letter: str) -> bool:
    return letter in _BLANKS or (unicodedata.category(letter) == "Cf" and letter not in _WITHIN_WORDS)


def _is_seen(letter: str) -> bool:
    return unicodedata.category(letter).startswith(_SEEN)
