"""The real server as a child process: `counterfoil dev` on a home and ports of its own."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tests.support.process_forker import ForkedProcess, process_forker

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "app")

_READY = "Ctrl-C ends all of it."
_STARTS_WITHIN_SECONDS = 120
_ENDS_WITHIN_SECONDS = 60


class ServerProcess:
    """`counterfoil dev` on `home`, started as often as wanted on the same ports.

    `environment` adds to a bare environment, in which nothing of the test run's own is set.
    """

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.port, self.sandbox_port = free_ports(2)
        self.environment = {
            **bare_environment(),
            "COUNTERFOIL_HOME": str(home),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "RATE_LIMITS": "off",
            **environment,
        }
        self.output = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where the API is reached."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """Where its Stripe sandbox is reached."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._started.pid

    @property
    def children(self) -> list[int]:
        """The process ids of what the server has started and is still running."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    @property
    def postgres_pid(self) -> int:
        """The process id of the embedded PostgreSQL on this home."""
        return int((self.home / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    def start(self, **environment: str) -> None:
        """Start it, with `environment` added this time only, and wait until it says that it serves."""
        self.spawn(**environment)
        assert self._read_until(_READY), f"it ended with {self.wait()}:\n{self.output}"

    def spawn(self, **environment: str) -> None:
        """Start it without waiting for anything."""
        self.output = ""
        self._process = subprocess.Popen(
            [*COMMAND, "dev"],
            cwd=ROOT,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def terminate(self) -> int:
        """End it by SIGTERM and return its exit code."""
        self._started.send_signal(signal.SIGTERM)
        return self.wait()

    def interrupt(self) -> int:
        """End it by SIGINT, as Ctrl-C does, and return its exit code."""
        self._started.send_signal(signal.SIGINT)
        return self.wait()

    def kill(self) -> int:
        """End it by SIGKILL and return its exit code."""
        self._started.kill()
        return self.wait()

    def wait(self) -> int:
        """Wait for its end, reading what it still writes, and return its exit code."""
        self._read_until(None)
        return self._started.wait(_ENDS_WITHIN_SECONDS)

    def clean_up(self) -> None:
        """End whatever of it still runs, PostgreSQL too."""
        if self._process is not None and self._process.poll() is None:
            self.terminate()
        try:
            os.kill(self.postgres_pid, signal.SIGINT)
        except (OSError, ValueError, IndexError):
            return

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was not started"
        return self._process

    def _read_until(self, text: str | None) -> bool:
        """Read its output until `text` has come (True) or the output has ended (False)."""
        stream = self._started.stdout
        assert stream is not None
        while text is None or text not in self.output:
            # PostgreSQL inherits the pipe and outlives a killed server: the pipe ends, or its writer does
            ready, _, _ = select.select([stream], [], [], 0.1)
            chunk = os.read(stream.fileno(), 65536) if ready else None
            if chunk:
                self.output += chunk.decode(errors="replace")
            elif chunk == b"" or self._started.poll() is not None:
                return False
        return True


@contextmanager
def server_process(**environment: str) -> Generator[ServerProcess]:
    """A server that is not started yet, on a home that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="cfhome", ignore_cleanup_errors=True) as folder:
        process = ServerProcess(Path(folder), **environment)
        try:
            yield process
        finally:
            process.clean_up()


def run_command(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `counterfoil` with `arguments` to its end, in a bare environment with `environment` added."""
    with _command(arguments, environment) as (process, output, errors), ThreadPoolExecutor(2) as readers:
        read = [readers.submit(each.read) for each in (output, errors)]
        try:
            code = process.wait(_STARTS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(list(arguments), code, *(each.result() for each in read))


def run_until(text: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """Run `counterfoil` with `arguments` until its log has `text`, end it by SIGTERM, and return all of its log."""
    log = ""
    with _command(arguments, environment) as (process, _, errors):
        for line in errors:
            log += line
            if text in line:
                process.send_signal(signal.SIGTERM)
        assert process.wait(_ENDS_WITHIN_SECONDS) == 0, log
    return log


@contextmanager
def _command(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> Generator[tuple[ForkedProcess, TextIO, TextIO]]:
    """A command that was started, and what it writes to its standard output and error."""
    (output, its_output), (errors, its_errors) = os.pipe(), os.pipe()
    with os.fdopen(output) as output_text, os.fdopen(errors) as errors_text:
        with Path(os.devnull).open() as nothing:
            try:
                process = process_forker().start(
                    *("counterfoil", *arguments),
                    environment={**bare_environment(), **environment},
                    descriptors=(nothing.fileno(), its_output, its_errors),
                )
            finally:
                os.close(its_output)
                os.close(its_errors)
        yield process, output_text, errors_text


def bare_environment() -> dict[str, str]:
    """The part of the environment that every program needs."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def is_running(pid: int) -> bool:
    """Whether there is a process with this id that has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
