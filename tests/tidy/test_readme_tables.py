"""The tables of README and CONTRIBUTING list what there is: every command, every setting, every suite; and every job has a task."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from typer import Typer

from app.cli.main import commands
from app.settings import Settings
from tests.tidy.pages import Block, blocks, without_call
from tests.tidy.sources import PRODUCT, nodes_of, python_files, tracked_files


def _section(title: str) -> list[Block]:
    page = list(blocks(Path("README.md")))
    start = next(number for number, block in enumerate(page) if block.text == f"## {title}")
    end = next((number for number in range(start + 1, len(page)) if page[number].text.startswith("## ")), len(page))
    return page[start:end]


def _first_cells(title: str) -> str:
    return "\n".join(block.text.split("|")[1] for block in _section(title) if block.text.startswith("| "))


def _command_names(group: Typer, prefix: str = "") -> Iterator[str]:
    for command in group.registered_commands:
        assert command.callback is not None
        yield prefix + (command.name or command.callback.__name__.replace("_", "-"))
    for within in group.registered_groups:
        assert within.typer_instance is not None
        yield from _command_names(within.typer_instance, f"{within.name} " if isinstance(within.name, str) else prefix)


def test_every_command_is_in_the_table_of_commands() -> None:
    listed = _first_cells("Commands")
    names = list(_command_names(commands))

    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in listed and f"`{name} " not in listed] == []


def test_every_setting_is_in_the_table_of_settings() -> None:
    listed = {span for block in _section("Settings") for span in block.spans}
    aliases = {
        str(alias) for field in Settings.model_fields.values() if (alias := field.validation_alias or field.alias)
    }
    names = {name.upper() for name in Settings.model_fields} - {name.upper() for name in aliases}

    assert names - {without_call(each) for each in listed} == set()


def test_every_suite_is_in_the_table_of_suites() -> None:
    listed = {span for block in blocks(Path("CONTRIBUTING.md")) if block.text.startswith("| ") for span in block.spans}
    folders = {path.parts[1] for path in tracked_files() if path.parts[0] == "tests" and len(path.parts) > 2}

    assert {f"tests/{folder}" for folder in folders - {"support"}} - listed == set()


def test_every_job_that_is_enqueued_has_a_task() -> None:
    enqueued = {
        ast.unparse(node.args[0]).rsplit(".", 1)[-1]
        for path in python_files(*PRODUCT)
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("outbox.enqueue")
    }
    tasks = {
        ast.unparse(key).rsplit(".", 1)[-1]
        for node in nodes_of(Path("app/jobs/tasks.py"))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if key is not None
    }
    assert enqueued
    assert enqueued == tasks
