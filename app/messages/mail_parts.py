"""What the texts of mails are made of."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape

from app.ids import uuid7
from app.messages.mail import Mail


def until(at: datetime | None) -> str:
    """A last day within a sentence; nothing where there is none."""
    return f" until {moment(at)}" if at is not None else ""


def moment(at: datetime) -> str:
    """A time with its zone."""
    return f"{at.astimezone(UTC):%Y-%m-%d at %H:%M} UTC"


def workspace(handle: str) -> str:
    """A workspace within a sentence; see `app.messages.message_texts` for why it is in quotation marks."""
    return f'the workspace "{handle}"'


def mail(
    to: str, subject: str, opening: str, closing: str, *, link: str | None = None, code: str | None = None
) -> Mail:
    """A mail of two paragraphs, with a link between them if there is one."""
    paragraphs = [opening, *([link] if link else []), closing]
    blocks = [f'<a href="{escape(part)}">{escape(part)}</a>' if part == link else escape(part) for part in paragraphs]
    body = "\n".join(f"<p>{block}</p>".replace("\n", "<br>\n") for block in blocks)
    return Mail(
        id=str(uuid7()),
        to=to,
        subject=subject,
        text="\n\n".join(paragraphs) + "\n",
        html=f'<!doctype html>\n<html lang="en"><title>{escape(subject)}</title>\n<body>\n{body}\n</body></html>\n',
        links=(link,) if link else (),
        code=code,
    )
