"""What makes Python quicker where much is imported once and then used for long."""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec

# looked for at each connection that httpcore makes, and not installed
_LOOKED_FOR = "sniffio"


def remember_what_is_missing() -> None:
    """Let imports of what is not installed fail at once: looking for it in every folder takes a millisecond each time."""
    if _LOOKED_FOR not in sys.modules and find_spec(_LOOKED_FOR) is None:
        sys.modules[_LOOKED_FOR] = None  # pyright: ignore[reportArgumentType]


def keep_what_is_there() -> None:
    """What is there now stays: who looks for garbage need not look there, nor, once forked, copy it from the memory it shares."""
    gc.collect()
    gc.freeze()
