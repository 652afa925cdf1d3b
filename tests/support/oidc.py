"""An identity provider for tests: discovery, keys and userinfo over HTTP, signed tokens, key rotation, and failures on demand."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from joserfc import jws, jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from app.oidc.issuer import Issuer
from tests.support.http_double import Answer, Answered, Asked, as_json, http_double

AUDIENCE = "counterfoil"

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"
USERINFO = "/userinfo"

_MAKERS: Mapping[str, Callable[[], Key]] = {
    "RS": lambda: RSAKey.generate_key(2048),
    "PS": lambda: RSAKey.generate_key(2048),
    "ES256": lambda: ECKey.generate_key("P-256"),
    "ES384": lambda: ECKey.generate_key("P-384"),
    "ES512": lambda: ECKey.generate_key("P-521"),
    "Ed": lambda: OKPKey.generate_key("Ed25519"),
}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair of the issuer."""

    key: Key
    algorithm: str
    key_id: str

    def public(self) -> dict[str, Any]:
        """The public key as a JSON Web Key, as it is published."""
        return {**self.key.as_dict(private=False), "kid": self.key_id, "alg": self.algorithm, "use": "sig"}


def new_key(algorithm: str = "ES256") -> SigningKey:
    """A new key pair for an algorithm."""
    make = _MAKERS.get(algorithm) or _MAKERS[algorithm[:2]]
    return SigningKey(make(), algorithm, uuid4().hex)


@dataclass(slots=True)
class IssuerDouble:
    """The last of `keys` signs; all of them are published, and `more_keys` unchanged; `discovery` is added to that document.

    `people` holds the answers of userinfo by token. `instead` answers in place of a path; `asked` holds the requests received.
    """

    url: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [new_key()])
    more_keys: list[object] = field(default_factory=list[object])
    max_age: str | None = None
    discovery: dict[str, object] = field(default_factory=dict[str, object])
    people: dict[str, object] = field(default_factory=dict[str, object])
    instead: dict[str, Answer] = field(default_factory=dict[str, Answer])
    asked: list[Asked] = field(default_factory=list[Asked])

    @property
    def settings(self) -> dict[str, object]:
        """The settings with which the product accepts this issuer's tokens."""
        return {"oidc_issuer": self.url, "oidc_audience": AUDIENCE}

    @asynccontextmanager
    async def issuer(self, monotonic: Callable[[], float] = time.monotonic) -> AsyncGenerator[Issuer]:
        """The product's view of this."""
        issuer = Issuer(self.url, [AUDIENCE], monotonic=monotonic)
        try:
            yield issuer
        finally:
            await issuer.aclose()

    def count(self, path: str) -> int:
        """How many requests a path got."""
        return sum(each.path == path for each in self.asked)

    def rotate(self, algorithm: str = "ES256", *, keeps_old: bool = False) -> SigningKey:
        """Sign with a new key from now on; the old ones are published no longer, unless `keeps_old`."""
        self.keys = [*(self.keys if keeps_old else ()), new_key(algorithm)]
        return self.keys[-1]

    def claims(self, **claims: object) -> dict[str, object]:
        """The claims of a valid token, changed by `claims`; those that are None are left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": uuid4().hex, "iat": now, "exp": now + 600}
        return {name: value for name, value in {**usual, **claims}.items() if value is not None}

    def token(
        self, *, by: SigningKey | None = None, header: Mapping[str, object] | None = None, **claims: object
    ) -> str:
        """A token signed with the newest key, or with `by`; `header` adds to its header, leaving out what is None."""
        key = by or self.keys[-1]
        named = {"alg": key.algorithm, "kid": key.key_id, "typ": "JWT", **(header or {})}
        registry = jws.JWSRegistry(algorithms=[str(named["alg"])], strict_check_header=False)
        return jwt.encode(
            {name: value for name, value in named.items() if value is not None},
            self.claims(**claims),
            key.key,
            registry=registry,
            default_type=None,
        )

    async def answer(self, asked: Asked) -> Answered:
        """The answer to a request."""
        self.asked.append(asked)
        if (instead := self.instead.get(asked.path)) is not None:
            return await instead(asked)
        match asked.path:
            case "/.well-known/openid-configuration":
                named: dict[str, object] = {"issuer": self.url, "jwks_uri": self.url + KEYS}
                return as_json({**named, **self.discovery})
            case "/keys":
                published = [*(key.public() for key in self.keys), *self.more_keys]
                caching = {} if self.max_age is None else {"cache-control": f"public, max-age={self.max_age}"}
                return as_json({"keys": published}, headers=caching)
            case "/userinfo":
                token = asked.headers.get("authorization", "").removeprefix("Bearer ")
                return as_json(self.people[token]) if token in self.people else Answered(401)
            case _:
                return Answered(404)

    def publish_userinfo(self) -> None:
        """Add a userinfo endpoint to the discovery document."""
        self.discovery["userinfo_endpoint"] = self.url + USERINFO

    def goes_down(self, status: int = 503) -> None:
        """Answer every request with this status."""

        async def fail(_asked: Asked) -> Answered:
            return Answered(status)

        self.instead = dict.fromkeys((DISCOVERY, KEYS, USERINFO), fail)

    def comes_back(self) -> None:
        """Answer as usual."""
        self.instead = {}


@asynccontextmanager
async def issuer_double() -> AsyncGenerator[IssuerDouble]:
    """A running issuer."""
    double = IssuerDouble()
    async with http_double(double.answer) as url:
        double.url = url
        yield double
