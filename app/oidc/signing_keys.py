"""Reading the keys that an issuer publishes (JWKS), and checking a token's signature with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc import jws
from joserfc.errors import JoseError, UnsupportedAlgorithmError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jws import JWSRegistry

from app.oidc.tokens import ALGORITHMS, MOST_CHARACTERS, ReadToken

_MOST_KEYS: Final = 100
_MOST_CANDIDATES: Final = 4
_FEWEST_RSA_BITS: Final = 2048
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
_FAILURES: Final = (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, OverflowError)


class _Registry(JWSRegistry):
    """Our `ALGORITHMS`, without the warning for the older name of one; unknown header fields are ignored."""

    max_header_length = MOST_CHARACTERS
    max_signature_length = 2_048

    def __init__(self) -> None:
        super().__init__(algorithms=ALGORITHMS, strict_check_header=False)

    def get_alg(self, name: str) -> jws.JWSAlgModel:  # pyright: ignore[reportPrivateImportUsage]
        if name not in ALGORITHMS:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


_REGISTRY: Final = _Registry()


@dataclass(frozen=True, slots=True, eq=False)
class KeySet:
    """The keys of one fetch, only those that may sign tokens for us."""

    keys: Sequence[Key]

    def has(self, token: ReadToken) -> bool:
        """Whether the key is here that the token names; False for a token that names none."""
        return token.key_id is not None and any(True for _ in self._candidates(token))

    def has_signed(self, token: ReadToken) -> bool:
        """Whether one of the keys has signed the token: the one it names or, if it names none, the only one that matches."""
        candidates = list(self._candidates(token))
        if token.key_id is None and len(candidates) > 1:
            return False
        return any(_is_signed(token, key) for key in candidates[:_MOST_CANDIDATES])

    def _candidates(self, token: ReadToken) -> Iterator[Key]:
        for key in self.keys:
            if (token.key_id is None or key.kid == token.key_id) and _matches(key, token.algorithm):
                yield key


def read_keys(document: Mapping[str, object]) -> KeySet | None:
    """The usable keys of a JSON Web Key Set, without those not for signatures or not supported; None for any other object."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        return None
    found = (_read_key(each) for each in cast("list[object]", listed)[:_MOST_KEYS])
    return KeySet([key for key in found if key is not None])


def _read_key(value: object) -> Key | None:
    if not isinstance(value, dict):
        return None
    jwk = cast("dict[str, object]", value)
    # no symmetric keys, and no private key: once published, anybody can sign with it
    if jwk.get("kty") not in _KEY_TYPES.values() or "d" in jwk:
        return None
    operations = jwk.get("key_ops")
    if jwk.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    try:
        key = import_key(cast("dict[str, str | list[str]]", jwk))
        too_short = isinstance(key, RSAKey) and key.public_key.key_size < _FEWEST_RSA_BITS
    except _FAILURES:
        return None
    return None if too_short else key


def _matches(key: Key, algorithm: str) -> bool:
    if key.key_type != _KEY_TYPES[algorithm[:2]] or key.alg not in (None, algorithm):
        return False
    return not isinstance(key, ECKey | OKPKey) or key.curve_name == _CURVES[algorithm]


def _is_signed(token: ReadToken, key: Key) -> bool:
    try:
        jws.deserialize_compact(token.text, key, registry=_REGISTRY)
    except _FAILURES:
        return False
    return True
