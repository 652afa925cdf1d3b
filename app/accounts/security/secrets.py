"""Keys derived from the secret key of the settings, random tokens, and the hashes that are stored of tokens and of other values."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_BASE62 = string.digits + string.ascii_letters
# 43 characters out of 62 hold 256 bits
_TOKEN_CHARACTERS = 43


@dataclass(frozen=True, slots=True, repr=False)
class HashKeys:
    """The key that hashes are made with which are kept for long, and the former ones that older hashes were made with."""

    present: bytes
    former: tuple[bytes, ...] = ()

    def hash(self, *parts: str) -> bytes:
        """What is stored of a value from now on."""
        return keyed_hash(self.present, *parts)

    def former_hashes(self, *parts: str) -> list[bytes]:
        """What may be stored of a value from before."""
        return [keyed_hash(key, *parts) for key in self.former]

    def hashes(self, *parts: str) -> list[bytes]:
        """Everything that may be stored of a value, the present hash first."""
        return [self.hash(*parts), *self.former_hashes(*parts)]


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One key of 32 bytes per purpose, so that hashes made for one purpose can't be compared with those of another.

    `limits` hashes whom a rate limit is for, `codes` the codes that are texted and mailed. `mail` encrypts the mails in the queue.
    `quotes` signs the prices of changes that clients hand back. The other two hash what must be recognized after its owner is gone:
    `phones` phone numbers, `abuse_key` freed handles, identities, and who had a trial.
    """

    limits: bytes
    phones: HashKeys
    codes: bytes
    abuse_key: HashKeys
    mail: bytes
    quotes: bytes


def derive_keys(secret_key: str, abuse_pepper: str | None = None, former_peppers: Sequence[str] = ()) -> Keys:
    """The keys derived from these secrets, the same ones each time.

    What guards against abuse is hashed with `abuse_pepper`, and without one with `secret_key`. Hashes that `former_peppers` made,
    or the secret key while there was no pepper, are found again.
    """
    peppers = list(dict.fromkeys([abuse_pepper or secret_key, *former_peppers, secret_key]))

    def of_guards(purpose: str) -> HashKeys:
        present, *former = (derive_key(pepper, purpose) for pepper in peppers)
        return HashKeys(present, tuple(former))

    return Keys(
        limits=derive_key(secret_key, "rate-limits"),
        phones=of_guards("phone-numbers"),
        codes=derive_key(secret_key, "phone-codes"),
        abuse_key=of_guards("guards"),
        mail=derive_key(secret_key, "queued-mail"),
        quotes=derive_key(secret_key, "quotes"),
    )


def derive_key(secret_key: str, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (HKDF-SHA256); knowing it tells nothing about the others."""
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"counterfoil:{purpose}".encode()).derive(secret_key.encode())


def new_token(prefix: str = "") -> str:
    """A secret of 256 random bits in letters and digits, after `prefix`."""
    return prefix + "".join(secrets.choice(_BASE62) for _ in range(_TOKEN_CHARACTERS))


def token_hash(token: str) -> bytes:
    """What is stored of a token (SHA-256). It has 256 random bits, so the hash can't be reversed, even without a key."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


def keyed_hash(key: bytes, *parts: str) -> bytes:
    """What is stored of a value that can be guessed, such as a phone number (HMAC-SHA256): without the key guessing is useless."""
    return hmac.digest(key, "\0".join(parts).encode(errors="surrogatepass"), "sha256")
