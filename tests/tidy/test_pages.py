"""What the pages say about code is so.

The rules, for whoever writes a page (README, CONTRIBUTING, SECURITY, docs/):

1. A file is named by its path from the root: `app/clock.py`; `app/payments/stripe_*.py` for several; `app/flows` for a folder.
   A file's bare name stands in the folder of the file named before it in the same paragraph, list item or table row.
2. "`name` in `path`", "`path`, `name`" and "`path` (`name`)" mean that the file defines the name: a function, class or constant,
   or a class's member, `Class.member` or `member`. Of the first form both sides may be lists; each name is in one of the files.
   Of SQL, TOML and GraphQL any text that is there will do.
3. A dotted name that begins with a room is `room.module.name`: `billing.purchases.purchase_states.begin`. The module exists and
   defines the name. One that begins with a class is `Class.member`. Any other, such as `card.removed`, is a text of the code:
   a line of the log, an action of the audit log, a step.
4. Any other name by itself, such as `next_check_at` or `RechargeRequest`, is a word that code, SQL, the schema or a catalog knows.
5. `path::test` is a test in that file; `make target` is a target of the Makefile.

Only what stands between backticks is looked at, outside fenced examples; of these only drawings, for their folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.tidy.definitions import defined_in, defines, files_defining, members, modules, texts, words
from tests.tidy.pages import Block, blocks, fenced_words, files_of, is_path, pages, without_call
from tests.tidy.sources import ROOT

_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_NAME = re.compile(
    r"_?[a-z][a-z0-9]*(_[a-z0-9]+)+|_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+|[A-Za-z][a-z0-9]*([A-Z][a-z0-9]+)+|[A-Z][a-z]+"
)
_FAULT_POINT = re.compile(r"([\w.-]+):(before|after)(-commit)?")
# names of others: Stripe, browsers, the parts we stand on
_OF_OTHERS = frozenset(
    {
        *("app.example.com", "billing.example.com", "allowances.RESOURCE", "prices.month", "prices.year"),
        *("handleNextAction", "GetObject", "PutObject", "DeleteObject", "ListBucket", "pg_dump"),
        *("PersistedQueryNotFound", "graphql_transport_ws", "GraphQLWsProtocol"),
    }
)


def _place(name: str) -> str:
    where = files_defining(name.rsplit(".", 1)[-1])
    return f"it is in {', '.join(map(str, where[:4]))}" if where else "no file of code defines it"


def _wrong_paths(block: Block) -> Iterator[str]:
    for span, files in files_of(block).items():
        path, _, test = span.partition("::")
        if not files:
            same = [str(each) for each in modules().values() if each.name == path.rsplit("/", 1)[-1]]
            yield f"{block}: there is no {span}" + (f"; there is {', '.join(same)}" if same else "")
        elif test and not any(test in defined_in(each) for each in files):
            yield f"{block}: {path} has no test {test}"


def _wrong_pairs(block: Block) -> Iterator[str]:
    files = files_of(block)
    for names, paths in block.pairs:
        within = [each for path in paths for each in files[path]]
        for name in names:
            # a name with its room is judged by that
            if (
                within
                and not is_path(name)
                and _in_module(name) is None
                and not any(defines(each, name) for each in within)
            ):
                yield f"{block}: {name} is not in {', '.join(paths)}; {_place(name)}"


def _in_module(name: str) -> bool | None:
    """Whether the module that a dotted name begins with defines the rest; None where it begins with no room."""
    known = modules()
    parts = name.split(".")
    if f"app.{parts[0]}" in known:
        parts = ["app", *parts]
    if parts[0] not in known:
        return None
    for length in range(len(parts), 0, -1):
        if (path := known.get(".".join(parts[:length]))) is not None:
            return length == len(parts) or defines(path, ".".join(parts[length:]))
    return False


def _is_known(name: str) -> bool:
    if point := _FAULT_POINT.fullmatch(name):
        return point[1] in texts() or _is_known(point[1])
    if not _DOTTED.fullmatch(name):
        return _NAME.fullmatch(name) is None or name in words()
    in_module = _in_module(name)
    if in_module is not None and in_module:
        return True
    owner, member = name.split(".")[-2:]
    if owner[0].isupper():
        return member in members().get(owner, ())
    return name in texts() or (in_module is None and _is_attribute(owner, member))


def _is_attribute(owner: str, member: str) -> bool:
    """Whether `owner.member` is something of a module or an object that goes by `owner`: `gateway.pay_invoice`, `users.id`."""
    stems = [path for path in modules().values() if path.stem == owner]
    if stems:
        return any(defines(path, member) for path in stems)
    return owner in words() and member in words()


def _unknown_names(block: Block) -> Iterator[str]:
    for span in block.spans:
        name = without_call(span)
        if not is_path(name) and name not in _OF_OTHERS and not _is_known(name):
            yield f"{block}: nothing is called {name}; {_place(name)}"


def test_every_path_on_a_page_is_there() -> None:
    wrong = [each for page in pages() for block in blocks(page) for each in _wrong_paths(block)]
    assert not wrong, "\n".join(wrong)


def test_a_name_is_in_the_file_that_a_page_says_it_is_in() -> None:
    wrong = [each for page in pages() for block in blocks(page) for each in _wrong_pairs(block)]
    assert not wrong, "\n".join(wrong)


def test_every_name_on_a_page_is_known_to_the_code() -> None:
    wrong = [each for page in pages() for block in blocks(page) for each in _unknown_names(block)]
    assert not wrong, "\n".join(wrong)


def test_every_target_of_make_on_a_page_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) | {".venv/.installed"}
    wrong = [
        f"{block}: there is no make {target}"
        for page in pages()
        for block in blocks(page)
        for span in block.spans
        for target in re.findall(r"^make ([\w./-]+)$", span)
        if target not in targets
    ]
    assert not wrong, "\n".join(wrong)


def test_every_room_is_in_the_drawing_of_the_structure() -> None:
    text = (ROOT / "README.md").read_text()
    drawing = text.partition("## Structure")[2].split("```")[1]
    packages = [name.split(".")[1:] for name in modules() if name.startswith("app.")]
    rooms = {f"app/{parts[0]}" for parts in packages if len(parts) > 1}
    rooms |= {f"app/{name}" for name in ("money", "ids", "clock", "errors", "idempotency", "wording")}
    within = {
        parts[1]
        for parts in packages
        if parts[0] in ("accounts", "billing", "flows") and len(parts) > 1 and parts[1] != "flow_context"
    }
    assert [
        room for room in sorted(rooms - {"app/cli", "app/server"}) if f"{room} " not in f"{drawing} ".replace("\n", " ")
    ] == []
    assert [room for room in sorted(within) if not re.search(rf"\b{room}\b", drawing)] == []


def test_every_folder_in_a_drawing_is_there() -> None:
    missing = [
        f"{page}:{line} {word}"
        for page in pages()
        for line, word in fenced_words(page)
        if not (ROOT / word).exists() and not (ROOT / f"{word}.py").exists()
    ]
    assert missing == []


def test_every_row_of_where_to_change_a_rule_names_what_to_change() -> None:
    rows = [
        block
        for block in blocks(Path("README.md"))
        if block.text.startswith("| ") and block.text.count("|") == 3 and any("/" in span for span in block.spans)
    ]
    bare = [
        f"{block}: say what in {path} it is"
        for block in rows
        for path in block.spans
        if path.endswith(".py") and "*" not in path and not any(path in paths for _, paths in block.pairs)
    ]
    assert len(rows) > 40
    assert not bare, "\n".join(bare)


def test_every_word_of_the_glossary_is_one_sentence_and_says_where_it_lives() -> None:
    rows = [block for block in blocks(Path("docs/glossary.md")) if block.text.startswith("| ") and "`" in block.text]
    told = [[cell.strip() for cell in block.text.strip("|").split("|")] for block in rows]

    assert len(rows) > 50
    assert [word for word, meaning, _ in told if not re.fullmatch(r"[A-Z].*[^.]\.( \(.*\.\))?", meaning)] == []
    assert [str(block) for block in rows if not any(files_of(block).values())] == []
    for names in (word.lower() for word, _, _ in told):
        assert [word.lower() for word, _, _ in told].count(names) == 1
