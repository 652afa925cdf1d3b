"""`python -m bench NAME`: run one benchmark, or all of them without a name."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine

from bench import ledger, live, page, usage

BENCHMARKS: dict[str, Callable[[], Coroutine[None, None, None]]] = {
    "ledger": ledger.main,
    "live": live.main,
    "page": page.main,
    "usage": usage.main,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        sys.exit(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.")
    for name in names or BENCHMARKS:
        asyncio.run(BENCHMARKS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
