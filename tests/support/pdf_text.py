"""The text of a PDF, read without a library: what its content streams show."""

from __future__ import annotations

import re
import zlib

_STREAM = re.compile(rb"stream\r?\n(.*?)\r?\nendstream", re.DOTALL)
_SHOWN = re.compile(rb"\(((?:[^()\\]|\\.)*)\)\s*Tj", re.DOTALL)


def pdf_text(pdf: bytes) -> list[str]:
    """The texts that a PDF with built-in fonts shows, in their order."""
    found: list[str] = []
    for stream in _STREAM.findall(pdf):
        try:
            content = zlib.decompress(stream)
        except zlib.error:
            continue
        found += [re.sub(rb"\\(.)", rb"\1", shown).decode("latin-1") for shown in _SHOWN.findall(content)]
    return found
