"""Starts servers quickly: the programs are imported once, by a process that forks a server whenever it is told to.

A server is a process of its own, running the program's own `main`, and ends by whatever signal it gets; what is saved is the second
or two that Python takes to import everything. `python -m tests.crash.process_forker` reads orders from standard input, a JSON line
each, answers each with a line, and ends with its input, taking its children along.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from sqlalchemy import URL, Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import LRUCache

import app.__main__
import app.db.engine
import app.main
import sandbox.__main__
from tests.support.accounts import quick_passwords
from tests.support.house import running_house
from tests.support.server import ROOT, bare_environment

Programs: TypeAlias = Mapping[str, Callable[[], None]]

# What the programs import only when they need it: once for all servers here, and not once in each.
_LATE_IMPORTS = (
    *("anyio._backends._asyncio", "httpcore", "stripe._stripe_client", "uvicorn.lifespan.on"),
    *("uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto", "websockets.server"),
    *(
        f"stripe._{name}_service"
        for name in ("customer", "event", "invoice", "invoice_item", "price", "product", "setup_intent", "tax_rate")
    ),
)

_READY = "ready"
_STATEMENTS = 1_000


class ProcessForker:
    """The forking process, as the tests speak to it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()

    @classmethod
    async def open(cls, server_url: str) -> ProcessForker:
        """Start it and wait until it has imported the programs."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.crash.process_forker", server_url),
            cwd=ROOT,
            env=bare_environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # a signal to the tests' group must not end it: the end of its input does, and then it takes its children along
            start_new_session=True,
        )
        forker = cls(process)
        assert await forker._answer() == _READY
        return forker

    async def start(self, *command: str, output: Path, **environment: str) -> int:
        """Fork a server (`counterfoil` or `sandbox` with its arguments) that writes to `output`; its process id."""
        order = {"command": command, "output": str(output), "environment": {**bare_environment(), **environment}}
        return await self._ask(order)

    async def ended(self, pid: int) -> int:
        """Wait until a server has ended, and return its code, or minus the number of the signal that ended it."""
        # the system tells of the end at once, and lets nobody have the process id until it is asked for the code
        descriptor = os.pidfd_open(pid)
        loop, has_ended = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(descriptor, has_ended.set)
        try:
            await has_ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
        return await self._ask({"exit_code_of": pid})

    def kill(self, pid: int) -> None:
        """End a server by SIGKILL; the process id is still its own, since only `ended` lets go of it."""
        os.kill(pid, signal.SIGKILL)

    async def close(self) -> None:
        """End it and every server that still runs."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def _ask(self, order: Mapping[str, object]) -> Any:
        assert self._process.stdin is not None
        async with self._asking:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            return await self._answer()

    async def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await self._process.stdout.readline())


def main() -> None:
    """Import the programs and carry out orders until there are no more."""
    for name in _LATE_IMPORTS:
        importlib.import_module(name)
    # the dummy password that a server hashes in its start would cost more than everything else there
    app.main.Passwords = quick_passwords  # pyright: ignore[reportPrivateImportUsage]
    _share_compiled_statements()
    with redirect_stdout(sys.stderr):
        asyncio.run(_rehearse(sys.argv[1]))
    # what is there now stays: a server that looks for garbage need not look there, nor copy it from the memory it shares
    gc.collect()
    gc.freeze()
    programs: Programs = {"counterfoil": app.__main__.main, "sandbox": sandbox.__main__.main}
    running: set[int] = set()
    try:
        _say(_READY)
        for line in sys.stdin:
            _carry_out(json.loads(line), programs, running)
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)


async def _rehearse(server_url: str) -> None:
    """Buy once, so that what is made at the first use of a thing is made here, once for all servers."""
    async with running_house(server_url, "analytics") as house:
        person = await house.sign_up()
        await house.add_card(person)
        await house.recharge(person)
        await house.advance("PT2M")


def _share_compiled_statements() -> None:
    """Let the engines of this process and of the servers have one dialect, and with it what was compiled for it."""
    create_engine = app.db.engine.create_async_engine
    compiled = LRUCache[Any, Any](_STATEMENTS)
    dialect: Dialect | None = None

    def create_sharing(url: str | URL, **more: Any) -> AsyncEngine:
        nonlocal dialect
        engine = create_engine(url, **more).sync_engine
        dialect = dialect or engine.dialect
        engine.dialect, engine._compiled_cache = dialect, compiled
        return AsyncEngine(engine)

    app.db.engine.create_async_engine = create_sharing


def _carry_out(order: Mapping[str, Any], programs: Programs, running: set[int]) -> None:
    if "exit_code_of" in order:
        pid = order["exit_code_of"]
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        running.remove(pid)
        _say(code)
    else:
        pid = _fork(programs, order)
        running.add(pid)
        _say(pid)


def _say(value: object) -> None:
    print(json.dumps(value), flush=True)


def _fork(programs: Programs, order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(programs[order["command"][0]], order)
    return pid


def _become(program: Callable[[], None], order: Mapping[str, Any]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        os.environ.clear()
        os.environ.update(order["environment"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        sys.argv = list(order["command"])
        program()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
