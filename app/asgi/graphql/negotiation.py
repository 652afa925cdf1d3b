"""Which media type to answer with, by the `Accept` header."""

from __future__ import annotations

from dataclasses import dataclass

JSON = "application/json"
GRAPHQL_RESPONSE = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
HTML = "text/html"
_READ_RANGES = 50


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry of an `Accept` header."""

    type: str
    quality: float

    def specificity(self, media_type: str) -> int:
        """How exactly this range names the type; 0 if it does not match."""
        if self.type == media_type:
            return 3
        if self.type == media_type.split("/")[0] + "/*":
            return 2
        return 1 if self.type == "*/*" else 0


def parse_accept(header: str | None) -> list[MediaRange]:
    """The media ranges; an absent header accepts anything, and a charset other than UTF-8 makes a range useless."""
    if header is None or not header.strip():
        return [MediaRange("*/*", 1.0)]
    ranges: list[MediaRange] = []
    for entry in header.split(",")[:_READ_RANGES]:
        name, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                quality = _number(value.strip())
            elif key.strip() == "charset" and value.strip().strip('"') not in ("utf-8", "utf8"):
                quality = 0.0
        if name:
            ranges.append(MediaRange(name, quality))
    return ranges


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def quality(ranges: list[MediaRange], media_type: str) -> float:
    """How much the caller likes a type, by the range that names it most exactly; 0 if not at all."""
    matching = [(entry.specificity(media_type), entry.quality) for entry in ranges if entry.specificity(media_type)]
    return max(matching)[1] if matching else 0.0


def named_quality(ranges: list[MediaRange], media_type: str) -> float:
    """The same, but a wildcard does not count: for types that are only sent to who asks for them by name."""
    return max((entry.quality for entry in ranges if entry.type == media_type), default=0.0)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an `Accept` header means for a GraphQL answer."""

    single: str | None
    """The type for one result: `application/json` unless the newer type is named and liked as much."""
    event_stream: float
    """Quality of an event stream: only if named, because who sends `*/*` expects one answer."""
    single_quality: float
    html: float

    @property
    def prefers_event_stream(self) -> bool:
        """Is an event stream wanted even for one result? Clients that list every type alike get a plain answer."""
        return self.event_stream > self.single_quality

    @property
    def prefers_html(self) -> bool:
        return self.html > 0 and self.html >= max(self.single_quality, self.event_stream)


def accepted(header: str | None) -> Accepted:
    """Read an `Accept` header."""
    ranges = parse_accept(header)
    json, graphql = quality(ranges, JSON), named_quality(ranges, GRAPHQL_RESPONSE)
    single = None
    if max(json, graphql) > 0:
        single = GRAPHQL_RESPONSE if graphql >= json else JSON
    return Accepted(single, named_quality(ranges, EVENT_STREAM), max(json, graphql), named_quality(ranges, HTML))
