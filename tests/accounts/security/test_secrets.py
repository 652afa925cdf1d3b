"""Keys derived from the secret key, hashes and tokens."""

from __future__ import annotations

from app.accounts.security.secrets import derive_key, derive_keys, keyed_hash, new_token, token_hash


def test_each_purpose_has_a_key_of_its_own_that_stays_the_same() -> None:
    keys = derive_keys("a secret")
    each = {keys.limits, keys.codes, keys.mail, keys.quotes, derive_key("a secret", "another")}
    each |= {keys.phones.present, keys.abuse_key.present}
    assert len(each) == 7
    assert {len(key) for key in each} == {32}
    assert derive_keys("a secret") == keys
    assert derive_keys("another secret").phones != keys.phones


def test_no_key_shows_in_a_representation() -> None:
    keys = derive_keys("a secret")
    assert "limits=" not in repr(keys)
    assert "present=" not in repr(keys.phones)


def test_the_parts_of_a_keyed_hash_do_not_run_together() -> None:
    key = derive_key("a secret", "a test")
    assert keyed_hash(key, "ab", "c") != keyed_hash(key, "a", "bc")
    assert keyed_hash(key, "a") != keyed_hash(derive_key("a secret", "another test"), "a")


def test_tokens_differ_and_hash_to_32_bytes() -> None:
    tokens = {new_token("x_") for _ in range(100)}
    assert len(tokens) == 100
    assert all(token.startswith("x_") for token in tokens)
    assert len(token_hash("\ud800")) == 32
