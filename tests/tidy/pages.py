"""The repository's pages, and what in them speaks of code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, takewhile
from pathlib import Path

from tests.tidy.definitions import FOLDERS
from tests.tidy.sources import ROOT, tracked_files

SPAN = re.compile(r"`([^`]+)`")
_SUFFIX = re.compile(r"\.(py|sql|toml|md|graphql|lock|ya?ml|mjs|json)$")
_PATH = re.compile(r"[\w.*/-]+")
_ITEM = re.compile(r"\s*([-*]|\d+\.) |\s*\||#")
_LISTED = {", ", " and ", " or ", ", and "}
_OF_FILE = {", ", "**, ", " (", "** ("}
_CALL = re.compile(r"\((…|\.\.\.|)\)$")


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, list item or table row: what is said in one breath."""

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def spans(self) -> list[str]:
        """What stands between backticks."""
        return SPAN.findall(self.text)

    @property
    def pairs(self) -> list[tuple[list[str], list[str]]]:
        """What is said as "`name` in `path`", where each side may be a list, as "`path`, `name`" or as "`path` (`name`)"."""
        found = list(SPAN.finditer(self.text))
        spans = [without_call(match[1]) for match in found]
        between = [self.text[one.end() : next_.start()] for one, next_ in pairwise(found)]
        pairs: list[tuple[list[str], list[str]]] = []
        for place, words in enumerate(between):
            if words == " in " and is_path(spans[place + 1]) and not is_path(spans[place]):
                names = takewhile(lambda each: not is_path(spans[each]), _run(between, place, -1))
                files = takewhile(lambda each: is_path(spans[each]), _run(between, place + 1, 1))
                pairs.append(([spans[each] for each in names], [spans[each] for each in files]))
            elif words in _OF_FILE and is_path(spans[place]) and not is_path(spans[place + 1]):
                names = list(takewhile(lambda each: not is_path(spans[each]), _run(between, place + 1, 1)))
                # these are in a file that is named after them
                if between[names[-1] : names[-1] + 1] != [" in "]:
                    pairs.append(([spans[names[0]]], [spans[place]]))
        return pairs


def _run(between: list[str], start: int, step: int) -> Iterator[int]:
    """The places of a list of spans that begins at `start`, forwards or backwards."""
    yield start
    place = start
    while 0 <= (gap := place if step > 0 else place - 1) < len(between) and between[gap] in _LISTED:
        place += step
        yield place


def pages() -> list[Path]:
    """Every page, but for the change log, which tells of what was."""
    return [path for path in tracked_files() if path.suffix == ".md" and path.name != "CHANGELOG.md"]


def blocks(page: Path) -> Iterator[Block]:
    """What a page says outside fenced examples."""
    start, lines, is_fenced = 1, list[str](), False
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        is_fence = line.lstrip().startswith("```")
        if (is_fence or is_fenced or not line.strip() or _ITEM.match(line)) and lines:
            yield Block(page, start, " ".join(lines))
            lines = []
        if is_fence:
            is_fenced = not is_fenced
        elif not is_fenced and line.strip():
            start = start if lines else number
            lines.append(line.strip())
    if lines:
        yield Block(page, start, " ".join(lines))


def fenced_words(page: Path) -> Iterator[tuple[int, str]]:
    """What looks like a folder of the code in drawings: fenced blocks that are in no language, and run nothing."""
    is_fenced = is_drawing = False
    for number, line in enumerate((ROOT / page).read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_fenced = not is_fenced
            is_drawing = is_fenced and line.strip() == "```"
        elif is_drawing:
            for word in re.findall(r"(?<![\w/.-])(?:app|schema|resolvers|sandbox|tests)/[\w/]*", line):
                yield number, word


def without_call(span: str) -> str:
    """`record(…)` as `record`."""
    return _CALL.sub("", span)


def is_path(span: str) -> bool:
    """Whether a span names a file or folder: by a suffix of ours, or by beginning with a folder of the repository."""
    span = span.split("::")[0]
    if _PATH.fullmatch(span) is None or span.startswith("/"):
        return False
    return bool(_SUFFIX.search(span)) or ("/" in span and span.split("/")[0] in FOLDERS)


def files_of(block: Block) -> dict[str, list[Path]]:
    """The files that a block's paths name; none for one that names nothing.

    A path begins at the repository's root. A file's bare name stands in the folder of the file named before it in the block.
    """
    found: dict[str, list[Path]] = {}
    folder: Path | None = None
    for span in block.spans:
        if not is_path(span):
            continue
        name = span.split("::")[0].rstrip("/")
        path = folder / name if "/" not in name and folder is not None and not (ROOT / name).exists() else Path(name)
        found[span] = _named(path)
        if found[span] and path.suffix:
            folder = path.parent
    return found


def _named(path: Path) -> list[Path]:
    """The file of this path, those that its asterisks stand for, or those within the folder."""
    known = tracked_files()
    if "*" in path.name:
        return [each for each in known if each.match(str(path)) and each.parent == path.parent]
    return [path] if (ROOT / path).is_file() and path in known else [each for each in known if path in each.parents]
