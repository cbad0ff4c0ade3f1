"""Overlapping work on one item with the next."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

_END = object()


def one_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each fetched by a thread while the one before it is in use."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        coming = thread.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, items, _END)
            yield item  # type: ignore[misc]  # the end is the only other value


def one_behind(begun: Iterable[Item], finish: Callable[[Item], Result]) -> Iterator[Result]:
    """Finish each item once the next has begun, so that a device that works on its own never waits between two."""
    waiting: list[Item] = []
    for item in begun:
        waiting.append(item)
        if len(waiting) > 1:
            yield finish(waiting.pop(0))
    for item in waiting:
        yield finish(item)
