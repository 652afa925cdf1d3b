"""The same thing goes by the same name everywhere."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.tidy.sources import PRODUCT, nodes_of, python_files


def test_a_store_module_is_imported_under_one_name_everywhere() -> None:
    names: defaultdict[str, set[str]] = defaultdict(set)
    for path in python_files(*PRODUCT):
        for node in nodes_of(path):
            if isinstance(node, ast.ImportFrom) and node.module == "app.store":
                for imported in node.names:
                    names[imported.name].add(imported.asname or imported.name)
    assert len(names) > 20
    assert {module: found for module, found in names.items() if len(found) > 1} == {}
    assert [found for found in names.values() if not min(found).endswith("_store")] == []
