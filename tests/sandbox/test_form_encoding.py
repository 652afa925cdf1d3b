"""Stripe's form encoding."""

from __future__ import annotations

import pytest

from sandbox.errors import StripeError
from sandbox.form_encoding import decode_form


@pytest.mark.parametrize("encoded", [b"a[=1", b"[a]=1", b"a=1&a[b]=2", b"a[b]=2&a=1", b"a=%00", b"a=%ff", b"a=\xff"])
def test_a_form_that_cannot_be_read_is_refused(encoded: bytes) -> None:
    with pytest.raises(StripeError) as refused:
        decode_form(encoded)
    assert refused.value.status == 400
