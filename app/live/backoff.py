"""How long to wait before trying again."""

from __future__ import annotations

import random
from typing import Final

_FIRST_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 5.0
_LAST_DOUBLING: Final = 6


def retry_delay_seconds(failures: int) -> float:
    """Seconds to wait after so many failures in a row (at least 1): doubling from 0.1 to 5.

    Up to half is taken off at random, so that processes which failed together don't come back together.
    """
    longest = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** min(failures - 1, _LAST_DOUBLING))
    return longest * random.uniform(0.5, 1)  # noqa: S311
