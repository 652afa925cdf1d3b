"""The keys that an issuer publishes, and whether a token is signed with one of them."""

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
_MOST_TRIED: Final = 4
_FEWEST_RSA_BITS: Final = 2048
_KEY_TYPES: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}
_FAILURES: Final = (JoseError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, OverflowError)


class _Registry(JWSRegistry):
    """The algorithms we take, without a word about the older name of one; headers we don't know count for nothing."""

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
    """The keys of one look at what the issuer publishes, those alone that may sign tokens for us."""

    keys: Sequence[Key]

    def has(self, token: ReadToken) -> bool:
        """Whether the key is there that the token names; of a token that names none this can't be told."""
        return token.key_id is not None and any(True for _ in self._fitting(token))

    def signed(self, token: ReadToken) -> bool:
        """Whether the token is signed with one of the keys: the one it names or, where it names none, the only one that fits."""
        fitting = list(self._fitting(token))
        if token.key_id is None and len(fitting) > 1:
            return False
        return any(_is_signed(token, key) for key in fitting[:_MOST_TRIED])

    def _fitting(self, token: ReadToken) -> Iterator[Key]:
        for key in self.keys:
            if (token.key_id is None or key.kid == token.key_id) and _fits(key, token.algorithm):
                yield key


def read_keys(document: Mapping[str, object]) -> KeySet | None:
    """The usable keys of a JSON Web Key Set, leaving out what is not for signatures or not understood; None for what is no set."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        return None
    found = (_read_key(each) for each in cast("list[object]", listed)[:_MOST_KEYS])
    return KeySet([key for key in found if key is not None])


def _read_key(value: object) -> Key | None:
    if not isinstance(value, dict):
        return None
    described = cast("dict[str, object]", value)
    # symmetric keys sign nothing here, and a private key that was published is everybody's
    if described.get("kty") not in _KEY_TYPES.values() or "d" in described:
        return None
    operations = described.get("key_ops")
    if described.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    try:
        key = import_key(cast("dict[str, str | list[str]]", described))
        too_short = isinstance(key, RSAKey) and key.public_key.key_size < _FEWEST_RSA_BITS
    except _FAILURES:
        return None
    return None if too_short else key


def _fits(key: Key, algorithm: str) -> bool:
    if key.key_type != _KEY_TYPES[algorithm[:2]] or key.alg not in (None, algorithm):
        return False
    return not isinstance(key, ECKey | OKPKey) or key.curve_name == _CURVES[algorithm]


def _is_signed(token: ReadToken, key: Key) -> bool:
    try:
        jws.deserialize_compact(token.text, key, registry=_REGISTRY)
    except _FAILURES:
        return False
    return True
