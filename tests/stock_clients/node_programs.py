"""Programs for Node with clients that others write, where `make stock-clients` has installed them."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.tidy.sources import ROOT

_MODULES = Path(__file__).parent / "node_modules"
_BLOCK = re.compile(r"^( *)```(js|python)\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
# in Node before 22 there is no WebSocket
_PRELUDE = 'import WebSocket from "ws";\nglobalThis.WebSocket ??= WebSocket;\n'


def guide_example(*words: str) -> str:
    """The one example of the API guide, in JavaScript or Python, that holds all of these words."""
    blocks = [block[3] for block in _BLOCK.finditer((ROOT / "docs/api-guide.md").read_text())]
    [example] = [block for block in blocks if all(word in block for word in words)]
    return example


@asynccontextmanager
async def node(folder: Path, program: str, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a module that may import the clients, until the block ends; skips the test where Node or they are missing."""
    binary = shutil.which("node")
    if binary is None or not _MODULES.is_dir():
        pytest.skip("Node, or what `make stock-clients` installs, is not on this machine")
    modules, file = folder / "node_modules", folder / "program.mjs"
    if not modules.exists():
        modules.symlink_to(_MODULES)
    file.write_text(_PRELUDE + program)
    async with running(binary, str(file), **environment) as process:
        yield process


@asynccontextmanager
async def running(*command: str, **environment: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A process with its output in a pipe, ended with the block."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def next_line(process: asyncio.subprocess.Process) -> str:
    """What it prints next; empty at its end."""
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def printed(folder: Path, program: str, **environment: str) -> list[Any]:
    """The lines of JSON that a program prints until its end, which must be a good one."""
    async with node(folder, program, **environment) as process, asyncio.timeout(60):
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()
    return [orjson.loads(line) for line in output.splitlines()]
