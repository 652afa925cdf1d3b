"""Interleaved rounds: every contender runs in each round, so that a noisy minute is noisy for all of them."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Call: TypeAlias = Callable[[], Awaitable[int]]
"""One call of a caller; answers how many operations it did."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Operations a second, how long the slowest hundredth of the calls took at least, in milliseconds, and the processor time of
    one operation, in microseconds.
    """

    rate: float
    p99_ms: float
    cpu_us: float


async def measure(callers: list[Call], seconds: float, processor: Callable[[], float]) -> Measured:
    """Have every caller call again and again, at once, for so many seconds."""
    durations: list[float] = []
    done = 0
    end = time.perf_counter() + seconds

    async def work(call: Call) -> None:
        nonlocal done
        while (began := time.perf_counter()) < end:
            count = await call()
            done += count
            durations.append(time.perf_counter() - began)

    used = processor()
    began = time.perf_counter()
    await asyncio.gather(*(work(call) for call in callers))
    elapsed = time.perf_counter() - began
    cpu_us = (processor() - used) / done * 1_000_000
    return Measured(done / elapsed, statistics.quantiles(durations, n=100)[98] * 1000, cpu_us)


async def interleaved(
    contenders: Mapping[str, list[Call]], processor: Callable[[], float], *, rounds: int = 5, seconds: float = 2.0
) -> dict[str, Measured]:
    """The medians of each contender over the rounds, after a round that doesn't count.

    `processor` tells the processor seconds used so far.
    """
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(rounds + 1):
        for name, callers in contenders.items():
            result = await measure(callers, seconds, processor)
            if number:
                measured[name].append(result)
    return {
        name: Measured(
            statistics.median(result.rate for result in results),
            statistics.median(result.p99_ms for result in results),
            statistics.median(result.cpu_us for result in results),
        )
        for name, results in measured.items()
    }
