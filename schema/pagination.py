"""Connections: `first` and `after`, opaque cursors, newest first unless a field says otherwise."""

from typing import Any

import strawberry

from resolvers.pagination import MOST_ROWS, Page

FIRST = f"How many to return, from 0 to {MOST_ROWS}; null means as many as by default."
AFTER = "Continue after the edge with this cursor."


@strawberry.type(description="Where a page of a connection lies in the whole.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether there are more after this page.")
    has_previous_page: bool = strawberry.field(description="Whether there are some before this page.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first edge; null when the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last edge: pass it as `after` for the next page."
    )


def page_info(page: Page[Any]) -> PageInfo:
    """The `PageInfo` of a page."""
    return PageInfo(
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        start_cursor=page.cursors[0] if page.cursors else None,
        end_cursor=page.cursors[-1] if page.cursors else None,
    )
