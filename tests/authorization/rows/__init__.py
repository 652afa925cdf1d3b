"""The authorization table: each query, mutation and live update, each field of a workspace and of a user, each type of node.

To add rows for a new field, put them into a module of this folder (a new one, or that of the noun): every module's `ROWS` is part
of the table by itself. `test_every_field_has_its_row` names what is missing.

    ROWS = [
        Row(
            "Mutation.renameBoat",
            "mutation ($input: RenameBoatInput!) { renameBoat(input: $input) { boat { id } userErrors { code } } }",
            allowed=OWNERS,
            given=_a_boat,
        ),
        *fields_of_workspace({"boats": ("{ id }", MANAGERS)}),
        *nodes({"Boat": MANAGERS}),
    ]

- `allowed` is a group of `callers.py`. Everyone else is refused: UNAUTHENTICATED for nobody, NOT_FOUND for outsiders, FORBIDDEN
  for the rest. Where the answer is another, say so in `denied`: `denied=all_of(KEYS, Outcome.FORBIDDEN)` for what only a person may
  do, whatever it names (`require_user`).
- `given` makes the variables from the scene, which is one organization with everything in it (`scene.py`). It is called anew for
  each caller who is let through, so a mutation that uses something up makes it there; `scene.once` keeps what can be used again.
  Name things by ids in the variables, not in the document: the test swaps them for ids that never were, and compares the answers.
- A type of node needs an id in `scene.ids`: have `_furnish` make one and `_EVERYTHING` read it.
- Fields of a workspace answer null to those who see the workspace but not the field.
"""

from __future__ import annotations

import importlib
import pkgutil

from tests.authorization.table import Row


def all_rows() -> list[Row]:
    """The rows of every module of this folder."""
    modules = (importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    return [row for module in modules for row in getattr(module, "ROWS", ())]
