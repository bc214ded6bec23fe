"""Lists that come in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

# Rows of one request.
_PAGE = 200


class Pages(Generic[T]):
    """A list that is fetched page by page while it is iterated over; each iteration begins anew.

    ``fetch(size, cursor)`` gives the items of a page and the cursor of the next one. ``limit`` bounds the
    items of one iteration; None takes all.
    """

    def __init__(
        self, fetch: Callable[[int, str | None], tuple[list[T], str | None]], limit: int | None = None
    ) -> None:
        self._fetch = fetch
        self._limit = limit

    def __iter__(self) -> Iterator[T]:
        left = self._limit
        cursor: str | None = None
        while left is None or left > 0:
            items, after = self._fetch(_PAGE if left is None else min(left, _PAGE), cursor)
            if left is not None:
                items = items[:left]
                left -= len(items)
            yield from items
            # A cursor that does not move would go round for ever.
            if after is None or after == cursor:
                return
            cursor = after

    def first(self) -> T | None:
        """The first item, None of an empty list."""
        return next(iter(Pages(self._fetch, 1 if self._limit is None else min(1, self._limit))), None)

    def all(self) -> list[T]:
        """All items (up to ``limit``)."""
        return list(self)
