"""Checking text that people type: one line or several, visible, and without characters that change how other text is shown."""

from __future__ import annotations

import unicodedata

from app.errors import InvalidInput
from app.wording import count

# control characters, lone surrogates, and the separators of lines and paragraphs
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})
# invisible, although their categories are those of visible characters
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# format characters that scripts from Arabic to emoji need within words; others are invisible or change the direction of the text
# after them
_ALLOWED_FORMATS = frozenset("\u061c\u200c\u200d\u200e\u200f")
_VISIBLE = ("L", "N", "P", "S")


def one_line(text: str, label: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str:
    """`text` without the blanks around it; `label` names it in the message, such as "A name".

    Raises `InvalidInput` when nothing visible is left, when it has more than `at_most` characters, or when it holds control
    characters, invisible ones, or such as change the direction of text.
    """
    line = text.strip()
    if not line:
        raise InvalidInput(f"{label} can't be empty.", path=path)
    if len(line) > at_most:
        raise InvalidInput(f"{label} has at most {count(at_most, 'character')}.", path=path)
    if any(map(_is_control, line)):
        raise InvalidInput(f"{label} is one line of text without control characters.", path=path)
    _require_visible(line, label, path)
    return line


def cleaned_line(text: str | None, *, at_most: int) -> str | None:
    """Text from another system, made into one line: control characters become blanks, several blanks become one, invisible
    characters are removed, and the line is cut after `at_most` characters.

    None where nothing is left.
    """
    characters = (" " if _is_control(character) else character for character in text or "" if not _is_hidden(character))
    line = " ".join("".join(characters).split())[:at_most].strip()
    return line if any(map(_is_visible, line)) else None


def optional_line(text: str | None, label: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str | None:
    """`one_line`, or None for None and for blanks only."""
    if text is None or not text.strip():
        return None
    return one_line(text, label, at_most=at_most, path=path)


def optional_text(text: str | None, label: str, *, at_most: int, path: tuple[str, ...] | None = None) -> str | None:
    """Several lines of text without the blanks around them, or None for None and for blanks only.

    Raises `InvalidInput` as `one_line` does, but line ends and tabs are allowed.
    """
    if text is None or not text.strip():
        return None
    lines = text.strip().replace("\r\n", "\n")
    if len(lines) > at_most:
        raise InvalidInput(f"{label} has at most {count(at_most, 'character')}.", path=path)
    if any(_is_control(character) for character in lines if character not in "\n\t"):
        raise InvalidInput(f"{label} is text without control characters.", path=path)
    _require_visible(lines, label, path)
    return lines


def trimmed(text: str) -> str:
    """`text` without the blanks and invisible characters around it, which are copied along from a page or a mail."""
    start, end = 0, len(text)
    while start < end and _is_around(text[start]):
        start += 1
    while start < end and _is_around(text[end - 1]):
        end -= 1
    return text[start:end]


def pasted(text: str) -> str:
    """A token as it was handed out, which holds no blanks: without those and the invisible characters that pasting adds."""
    return "".join(character for character in text if not _is_around(character))


def pasted_code(text: str) -> str:
    """The digits of a code, however it was written: with blanks or hyphens between groups, or in digits of full width.

    Everything else stays, so that what is no code can be told.
    """
    normal = unicodedata.normalize("NFKC", text)
    return "".join(character for character in pasted(normal) if unicodedata.category(character) != "Pd")


def _is_around(character: str) -> bool:
    return character.isspace() or character in _INVISIBLE or unicodedata.category(character) == "Cf"


def _require_visible(text: str, label: str, path: tuple[str, ...] | None) -> None:
    if any(map(_is_hidden, text)):
        raise InvalidInput(
            f"{label} can't hold characters that are invisible or change the direction of text. Type it, don't paste it.",
            path=path,
        )
    if not any(map(_is_visible, text)):
        raise InvalidInput(f"{label} needs something that can be seen.", path=path)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in _CONTROLS


def _is_hidden(character: str) -> bool:
    return character in _INVISIBLE or (unicodedata.category(character) == "Cf" and character not in _ALLOWED_FORMATS)


def _is_visible(character: str) -> bool:
    return unicodedata.category(character).startswith(_VISIBLE)
