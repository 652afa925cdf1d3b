"""Starts the product's programs quickly: they are imported once, by a process that forks a program whenever it is told to.

A program is a process of its own, running its own `main`, and ends by whatever signal it gets; what is saved is the second or two
that Python takes to import everything. The forking process reads orders from a socket, answers each, and ends with the socket,
taking its children along.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, TypeAlias

from sqlalchemy import URL, Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import configure_mappers
from sqlalchemy.util import LRUCache

from tests.support.speed import keep_what_is_there, remember_what_is_missing

Programs: TypeAlias = Mapping[str, Callable[[], None]]

_ROOT = Path(__file__).parents[2]

# What the programs import only when they need it: once for all processes here, and not once in each.
_LATE_IMPORTS = (
    *("anyio._backends._asyncio", "httpcore", "stripe._stripe_client", "uvicorn.lifespan.on"),
    *("uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto", "websockets.server"),
    *(
        f"stripe._{name}_service"
        for name in ("customer", "event", "invoice", "invoice_item", "price", "product", "setup_intent", "tax_rate")
    ),
)

_PROGRAM = f"from {__name__} import main; main()"
_MESSAGE_BYTES = 65536
_STATEMENTS = 1_000


class ForkedProcess:
    """A program that was started; whoever asks for its end is told at once."""

    def __init__(self, forker: ProcessForker, pid: int) -> None:
        self.pid = pid
        self._forker = forker
        self._code: int | None = None
        # the process id stays its own until the forker is asked for the exit code
        self._descriptor = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """How it ended: its code, or minus the number of the signal that ended it; None while it runs."""
        return self._code if self._code is not None or not self._has_ended(0) else self._asked()

    def wait(self, timeout_seconds: float | None = None) -> int:
        """Wait until it has ended, and return how. Raises `subprocess.TimeoutExpired`."""
        if self._code is None and not self._has_ended(timeout_seconds):
            raise subprocess.TimeoutExpired(str(self.pid), timeout_seconds or 0)
        return self._code if self._code is not None else self._asked()

    async def ended(self) -> int:
        """Wait until it has ended, and return how."""
        if self._code is None:
            loop, has_ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(self._descriptor, has_ended.set)
            try:
                await has_ended.wait()
            finally:
                loop.remove_reader(self._descriptor)
        return self.wait()

    def kill(self) -> None:
        """End it by SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._code is None:
            os.kill(self.pid, number)

    def _has_ended(self, timeout_seconds: float | None) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        return bool(poll.poll(None if timeout_seconds is None else timeout_seconds * 1000))

    def _asked(self) -> int:
        self._code = self._forker.exit_code(self.pid)
        os.close(self._descriptor)
        return self._code


class ProcessForker:
    """The forking process, as the tests speak to it; any thread may."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno())],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                # a signal to the tests' group must not end it: the end of its socket does, and then it takes its children along
                start_new_session=True,
            )

    def start(
        self,
        *command: str,
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        has_quick_passwords: bool = False,
    ) -> ForkedProcess:
        """Fork a program, `counterfoil` or `sandbox`, with its arguments.

        `descriptors` become its standard input, output and error. `has_quick_passwords` spares a server the dummy password that it
        hashes in its start, which would cost more than everything else there.
        """
        order = {"command": command, "environment": {**environment}, "has_quick_passwords": has_quick_passwords}
        return ForkedProcess(self, self._ask(order, descriptors))

    def rehearse(self, server_url: str) -> None:
        """Have it buy once, so that what is made at the first use of a thing is made once for all servers started after this."""
        self._ask({"rehearse_on": server_url})

    def exit_code(self, pid: int) -> int:
        """How a process ended, once it has: its id may then be another's."""
        return self._ask({"exit_code_of": pid})

    def _ask(self, order: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(order).encode()], descriptors)
            return json.loads(self._socket.recv(_MESSAGE_BYTES))


@functools.cache
def process_forker() -> ProcessForker:
    """The forker of this test worker, which ends with it."""
    return ProcessForker()


def main() -> None:
    """Import the programs and carry out orders until there are no more."""
    import app.__main__
    import sandbox.__main__

    for name in _LATE_IMPORTS:
        importlib.import_module(name)
    configure_mappers()
    remember_what_is_missing()
    keep_what_is_there()
    programs: Programs = {"counterfoil": app.__main__.main, "sandbox": sandbox.__main__.main}
    running: set[int] = set()
    orders = socket.socket(fileno=int(sys.argv[1]))
    try:
        while True:
            message, descriptors, _, _ = socket.recv_fds(orders, _MESSAGE_BYTES, 3)
            if not message:
                return
            answer = _carry_out(json.loads(message), descriptors, programs, running, orders)
            orders.send(json.dumps(answer).encode())
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)


def _carry_out(
    order: Mapping[str, Any], descriptors: Sequence[int], programs: Programs, running: set[int], orders: socket.socket
) -> int:
    if "exit_code_of" in order:
        pid = order["exit_code_of"]
        running.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if "rehearse_on" in order:
        _share_compiled_statements()
        asyncio.run(_rehearse(order["rehearse_on"]))
        keep_what_is_there()
        return 0
    pid = os.fork()
    if pid == 0:
        orders.close()
        _become(programs[order["command"][0]], order, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    running.add(pid)
    return pid


def _become(program: Callable[[], None], order: Mapping[str, Any], descriptors: Sequence[int]) -> NoReturn:
    code = 1
    try:
        os.setsid()
        os.environ.clear()
        os.environ.update(order["environment"])
        for descriptor, standard in zip(descriptors, (0, 1, 2), strict=True):
            os.dup2(descriptor, standard)
            os.close(descriptor)
        if order["has_quick_passwords"]:
            _make_passwords_quick()
        sys.argv = list(order["command"])
        program()
        code = 0
    except SystemExit as ended:
        code = _code_of(ended)
    except BaseException:
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _code_of(ended: SystemExit) -> int:
    if isinstance(ended.code, str):
        print(ended.code, file=sys.stderr)
        return 1
    return ended.code or 0


def _make_passwords_quick() -> None:
    import app.main
    from tests.support.accounts import quick_passwords

    app.main.Passwords = quick_passwords  # pyright: ignore[reportPrivateImportUsage]


async def _rehearse(server_url: str) -> None:
    from tests.support.running_backend import running_backend

    async with running_backend(server_url, "analytics") as backend:
        person = await backend.sign_up()
        await backend.add_card(person)
        await backend.recharge(person)
        await backend.advance("PT2M")
    # the sandbox was started by a forker of this process's own, which ends when nobody holds it any more
    process_forker.cache_clear()


def _share_compiled_statements() -> None:
    """Let all engines, here and in the processes forked later, have one dialect, and with it what was compiled for it."""
    import app.db.engine

    create_engine = app.db.engine.create_async_engine
    compiled = LRUCache[Any, Any](_STATEMENTS)
    dialect: Dialect | None = None

    def create_sharing(url: str | URL, **more: Any) -> AsyncEngine:
        nonlocal dialect
        engine = create_engine(url, **more).sync_engine
        dialect = dialect or engine.dialect
        engine.dialect, engine._compiled_cache = dialect, compiled  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
        return AsyncEngine(engine)

    app.db.engine.create_async_engine = create_sharing  # pyright: ignore[reportPrivateImportUsage]
