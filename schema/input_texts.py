"""What several descriptions say of inputs, formatted from the limits that the inputs are held to."""

from typing import Final

from app.accounts.avatars.upload_limits import LARGEST_FILE_BYTES, MOST_PIXELS
from app.accounts.people import email_syntax, handles
from app.accounts.security import passwords
from app.idempotency import KEYS_KEPT
from app.ledger.movements import MOST_KEY_CHARACTERS
from app.metering.subjects import MOST_SUBJECT_CHARACTERS
from app.wording import count, duration, size
from resolvers.credit_mutations import MOST_DESCRIPTION_CHARACTERS

HANDLE_FORM: Final = (
    f"{handles.SHORTEST} to {handles.LONGEST} letters (A to Z) and digits, "
    "in words joined by single hyphens or underscores"
)
LARGEST_FILE: Final = size(LARGEST_FILE_BYTES)
LARGEST_PICTURE: Final = count(MOST_PIXELS // 1_000_000, "megapixel")
NEW_PASSWORD: Final = f"{passwords.SHORTEST} to {passwords.LONGEST} characters of any kind."
EMAIL_FORM: Final = f"ASCII, at most {count(email_syntax.MOST_CHARACTERS, 'character')}"
MOVEMENT_DESCRIPTION: Final = f"shown in the history. 1 to {count(MOST_DESCRIPTION_CHARACTERS, 'character')}."

SUBJECT: Final = (
    "a member, an agent or a project, say, by an id of yours and not by a name. "
    f"1 to {count(MOST_SUBJECT_CHARACTERS, 'character')}."
)


def idempotency_key(effect: str) -> str:
    """The description of an idempotency key; `effect` completes "sending the same again"."""
    kept = duration(KEYS_KEPT)
    return (
        f"1 to {count(MOST_KEY_CHARACTERS, 'character')} of your choice, kept {kept}: sending the same again {effect}."
    )
