"""Keys derived from the secret key of the settings, random tokens, and the hashes that are stored of tokens and of other values."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32
_BASE62 = string.digits + string.ascii_letters
# 43 characters out of 62 hold 256 bits
_TOKEN_CHARACTERS = 43


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One key of 32 bytes per purpose, so that hashes made for one purpose can't be compared with those of another.

    `limits` hashes whom a rate limit is for, `phones` phone numbers, `codes` the codes that are texted and mailed. `abuse_key`
    hashes what must be recognized after its owner is gone, such as a freed handle. `mail` encrypts the mails in the queue. `quotes`
    signs the prices of changes that clients hand back.
    """

    limits: bytes
    phones: bytes
    codes: bytes
    abuse_key: bytes
    mail: bytes
    quotes: bytes


def derive_keys(secret_key: str) -> Keys:
    """The keys derived from `secret_key`, the same ones each time."""
    return Keys(
        limits=derive_key(secret_key, "rate-limits"),
        phones=derive_key(secret_key, "phone-numbers"),
        codes=derive_key(secret_key, "phone-codes"),
        abuse_key=derive_key(secret_key, "guards"),
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
