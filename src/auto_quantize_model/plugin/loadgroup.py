"""The groups of `pytest-xdist --dist loadgroup`, which keep a model's cases on one worker.

pytest-xdist appends `@group` to the node ids of tests with an `xdist_group` mark, and reads the groups from there when
it shares tests out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from auto_quantize_model.plugin.suites import case_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from auto_quantize_model.plugin.suites import SuiteCase

_GROUP: pytest.StashKey[str] = pytest.StashKey()
"""Which tests `--dist loadgroup` keeps on one worker."""


def group_marks(suite_case: SuiteCase, config: pytest.Config) -> list[pytest.MarkDecorator]:
    """The mark that puts a case into the group of its model; none without pytest-xdist, which defines it."""
    if not config.pluginmanager.hasplugin("xdist"):
        return []
    return [pytest.mark.xdist_group(suite_case.case.model.name)]


def take_groups_off(items: Iterable[pytest.Item]) -> None:
    """Take the groups off the names of cases' tests: `--last-failed` knows them without."""
    for item in items:
        name, at, group = item.nodeid.rpartition("@")
        if at and "]" not in group and case_of(item) is not None:
            item.stash[_GROUP], item._nodeid = group, name


def put_groups_back(items: Iterable[pytest.Item]) -> None:
    """Put the groups back, for pytest-xdist to read."""
    for item in items:
        if _GROUP in item.stash:
            item._nodeid = f"{item.nodeid}@{item.stash[_GROUP]}"


def share_out(items: Iterable[pytest.Item], workers: int) -> None:
    """Split the groups that tests of one model are in, so that every worker has one."""
    models: dict[str, dict[tuple[str, str], list[pytest.Item]]] = {}
    for item in items:
        suite_case = case_of(item)
        if suite_case is not None and _GROUP in item.stash:
            models.setdefault(suite_case.group, {}).setdefault(suite_case.key, []).append(item)
    for place, cases in enumerate(models.values()):
        shares = workers // len(models) + (place < workers % len(models))
        for number, tests in enumerate(cases.values()):
            for item in tests:
                if shares > 1:
                    item.stash[_GROUP] += f"-{number % shares}"


def without_group(nodeid: str) -> str:
    """The name of a case's test, should it be one, without the group; its case's name begins with the model's."""
    grouped = re.fullmatch(r"(.*\[(?:.*-)?([\w.-]+)-.*\])@\2(?:-\d+)?", nodeid)
    return nodeid if grouped is None else grouped[1]
