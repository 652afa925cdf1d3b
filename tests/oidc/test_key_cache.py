"""The cache of the issuer's keys: how long keys are used, when they are fetched again, and what holds while it is away."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import Unavailable
from app.oidc.issuer import Issuer
from app.oidc.key_cache import (
    DEFAULT_AGE_SECONDS,
    FETCH_PAUSE_SECONDS,
    LONGEST_AGE_SECONDS,
    SHORTEST_AGE_SECONDS,
    USABLE_WHILE_AWAY_SECONDS,
    IssuerUnavailable,
)
from tests.oidc.manual_clock import ManualClock
from tests.oidc.tokens import is_accepted
from tests.support.client import eventually
from tests.support.http_double import Answered, Asked, as_json, forever
from tests.support.oidc import AUDIENCE, DISCOVERY, KEYS, IssuerDouble, new_key


async def test_keys_are_asked_for_once_and_kept(idp: IssuerDouble, issuer: Issuer, clock: ManualClock) -> None:
    for _ in range(20):
        assert await is_accepted(issuer, idp.token())
    clock.advance(DEFAULT_AGE_SECONDS / 2 - 1)
    assert await is_accepted(issuer, idp.token())
    assert (idp.count(DISCOVERY), idp.count(KEYS)) == (1, 1)


async def test_all_who_come_at_once_wait_for_one_look(idp: IssuerDouble, issuer: Issuer) -> None:
    assert all(await asyncio.gather(*(is_accepted(issuer, idp.token()) for _ in range(50))))
    assert (idp.count(DISCOVERY), idp.count(KEYS)) == (1, 1)


async def test_one_who_gives_up_waiting_does_not_end_the_look_for_the_others(idp: IssuerDouble, issuer: Issuer) -> None:
    asked, goes_on = asyncio.Event(), asyncio.Event()

    async def slowly(_asked: Asked) -> Answered:
        asked.set()
        await goes_on.wait()
        return as_json({"keys": [key.public() for key in idp.keys]})

    idp.instead[KEYS] = slowly
    impatient = asyncio.create_task(is_accepted(issuer, idp.token()))
    patient = asyncio.create_task(is_accepted(issuer, idp.token()))
    await asked.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    goes_on.set()
    assert await patient
    assert idp.count(KEYS) == 1


async def test_a_new_key_is_accepted_when_it_is_first_used(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    clock.advance(FETCH_PAUSE_SECONDS)
    idp.rotate("RS256", keeps_old=True)
    assert await is_accepted(issuer, idp.token())
    assert await is_accepted(issuer, idp.token(by=idp.keys[0]))
    assert idp.count(KEYS) == 2


async def test_a_new_key_without_an_id_is_accepted_too(idp: IssuerDouble, issuer: Issuer, clock: ManualClock) -> None:
    assert await is_accepted(issuer, idp.token(header={"kid": None}))
    clock.advance(FETCH_PAUSE_SECONDS)
    idp.rotate()
    assert await is_accepted(issuer, idp.token(header={"kid": None}))


async def test_a_removed_key_is_good_no_longer_than_keys_are_kept(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    old = idp.keys[0]
    assert await is_accepted(issuer, idp.token(by=old))
    idp.rotate()
    assert await is_accepted(issuer, idp.token(by=old))
    clock.advance(DEFAULT_AGE_SECONDS)
    assert not await is_accepted(issuer, idp.token(by=old))


async def test_a_removed_key_is_dropped_with_the_first_look_whatever_caused_it(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    old = idp.keys[0]
    assert await is_accepted(issuer, idp.token(by=old))
    idp.rotate()
    clock.advance(FETCH_PAUSE_SECONDS)
    assert await is_accepted(issuer, idp.token())
    assert not await is_accepted(issuer, idp.token(by=old))


@pytest.mark.parametrize(
    ("max_age", "seconds"),
    [
        ("300", 300.0),
        ("0", SHORTEST_AGE_SECONDS),
        ("1", SHORTEST_AGE_SECONDS),
        ("86400", LONGEST_AGE_SECONDS),
        ("99999999999999", LONGEST_AGE_SECONDS),
        ("soon", DEFAULT_AGE_SECONDS),
        (None, DEFAULT_AGE_SECONDS),
    ],
)
async def test_keys_are_kept_as_long_as_the_issuer_says_within_reason(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock, max_age: str | None, seconds: float
) -> None:
    idp.max_age = max_age
    old = idp.keys[0]
    assert await is_accepted(issuer, idp.token(by=old))
    idp.rotate()
    clock.advance(seconds / 2 - 0.1)
    assert await is_accepted(issuer, idp.token(by=old))
    assert idp.count(KEYS) == 1
    clock.advance(seconds / 2 + 0.1)
    assert not await is_accepted(issuer, idp.token(by=old))


async def test_keys_are_looked_at_again_ahead_of_time_while_nobody_waits(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    idp.instead[KEYS] = forever
    clock.advance(DEFAULT_AGE_SECONDS / 2)
    assert await is_accepted(issuer, idp.token())

    async def looks_again() -> bool:
        return idp.count(KEYS) == 2

    await eventually(looks_again)
    assert await is_accepted(issuer, idp.token())


async def test_however_many_bad_tokens_come_the_issuer_is_asked_once_in_a_while(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    strangers = [new_key() for _ in range(10)]
    for looks in (2, 3):
        clock.advance(FETCH_PAUSE_SECONDS)
        for _ in range(5):
            bad = [idp.token(by=each) for each in strangers] + [idp.token(by=strangers[0], header={"kid": None})]
            assert not any(await asyncio.gather(*(is_accepted(issuer, token) for token in bad)))
        assert (idp.count(DISCOVERY), idp.count(KEYS)) == (looks, looks)
    assert await is_accepted(issuer, idp.token())


async def test_a_known_key_with_a_bad_signature_asks_nothing(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    clock.advance(FETCH_PAUSE_SECONDS)
    assert not await is_accepted(issuer, idp.token(by=new_key(), header={"kid": idp.keys[0].key_id}))
    assert idp.count(KEYS) == 1


async def test_while_the_issuer_is_down_its_keys_stay_in_use_for_a_while(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    idp.goes_down()
    clock.advance(DEFAULT_AGE_SECONDS)
    assert await is_accepted(issuer, idp.token())
    clock.advance(USABLE_WHILE_AWAY_SECONDS - DEFAULT_AGE_SECONDS - 1)
    assert await is_accepted(issuer, idp.token())
    clock.advance(1)
    with pytest.raises(IssuerUnavailable):
        await is_accepted(issuer, idp.token())


async def test_nobody_waits_for_an_issuer_that_was_away_a_moment_ago(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    idp.goes_down()
    clock.advance(DEFAULT_AGE_SECONDS)
    assert await is_accepted(issuer, idp.token())
    idp.instead = dict.fromkeys((DISCOVERY, KEYS), forever)
    clock.advance(FETCH_PAUSE_SECONDS)
    assert await asyncio.wait_for(is_accepted(issuer, idp.token()), 60)


async def test_once_the_issuer_is_back_its_keys_are_the_new_ones(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    old = idp.keys[0]
    assert await is_accepted(issuer, idp.token())
    idp.goes_down()
    clock.advance(USABLE_WHILE_AWAY_SECONDS)
    with pytest.raises(Unavailable):
        await is_accepted(issuer, idp.token())
    idp.comes_back()
    idp.rotate()
    clock.advance(FETCH_PAUSE_SECONDS)
    assert await is_accepted(issuer, idp.token())
    assert not await is_accepted(issuer, idp.token(by=old))


async def test_an_issuer_that_was_never_reached_is_asked_seldom_and_makes_nobody_anonymous(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    idp.goes_down()
    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            await is_accepted(issuer, idp.token())
    assert idp.count(DISCOVERY) == 1
    idp.comes_back()
    clock.advance(FETCH_PAUSE_SECONDS)
    assert await is_accepted(issuer, idp.token())


async def test_a_token_with_a_new_key_is_neither_accepted_nor_refused_while_the_issuer_is_down(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    assert await is_accepted(issuer, idp.token())
    idp.goes_down()
    clock.advance(FETCH_PAUSE_SECONDS)
    idp.rotate(keeps_old=True)
    for _ in range(3):
        with pytest.raises(IssuerUnavailable):
            await is_accepted(issuer, idp.token())
    assert await is_accepted(issuer, idp.token(by=idp.keys[0]))
    assert idp.count(DISCOVERY) == 2


async def test_an_issuer_that_names_another_in_discovery_counts_as_unreachable(
    idp: IssuerDouble, issuer: Issuer, clock: ManualClock
) -> None:
    old = idp.keys[0]
    assert await is_accepted(issuer, idp.token())
    idp.discovery["issuer"] = "https://another.example.com"
    idp.rotate()
    clock.advance(DEFAULT_AGE_SECONDS)
    assert await is_accepted(issuer, idp.token(by=old))
    with pytest.raises(IssuerUnavailable):
        await is_accepted(issuer, idp.token())


async def test_an_issuer_whose_name_ends_in_a_slash_is_found_too(idp: IssuerDouble, clock: ManualClock) -> None:
    named = idp.url + "/"
    idp.discovery["issuer"] = named
    issuer = Issuer(named, [AUDIENCE, "another"], monotonic=clock)
    assert await is_accepted(issuer, idp.token(iss=named, aud="another"))
    await issuer.aclose()
