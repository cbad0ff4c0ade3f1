"""The pytest plugin: every case is a test. Its hooks, which only pass on; imports nothing heavy.

It is registered once, by the `pytest11` entry point; naming it in `pytest_plugins` too would register it twice.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from auto_quantize_model.plugin import collection, loadgroup, options
from auto_quantize_model.plugin.fixtures import (
    sensitivity_baseline,
    sensitivity_baselines,
    sensitivity_case,
    sensitivity_pair,
    sensitivity_recipe,
    sensitivity_suite,
)
from auto_quantize_model.plugin.outcomes import Outcomes
from auto_quantize_model.plugin.session import SESSION, Session
from auto_quantize_model.plugin.unforeseen import one_line
from auto_quantize_model.plugin.worker import tell_worker
from auto_quantize_model.quoting import visible

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = [
    "sensitivity_baseline",
    "sensitivity_baselines",
    "sensitivity_case",
    "sensitivity_pair",
    "sensitivity_recipe",
    "sensitivity_suite",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add every option but `--publish`."""
    options.add_options(parser)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> Generator[None, Any, Any]:
    """Add `--publish` once every other plugin and conftest has had its chance to own that name."""
    result = yield
    options.add_publish(parser, early_config)
    return result


@one_line
def pytest_configure(config: pytest.Config) -> None:
    """Check the options against each other; start nothing."""
    config.addinivalue_line(
        "markers", "gpu: runs a model, on a CUDA GPU where there is one; on the CPU only if the model allows that"
    )
    session = config.stash[SESSION] = Session(config, options.read_options(config))
    if session.worker is None:
        outcomes = Outcomes(session.records, session.case_starts, session.publisher.publish)
        config.pluginmanager.register(outcomes, "sensitivity-records")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where every worker writes, and what they share."""
    session = node.config.stash[SESSION]
    tell_worker(node, session.output.folder, session.shared)


@one_line
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize what asks for a case, a baseline or a pair."""
    collection.parametrize(metafunc, metafunc.config.stash[SESSION].suites)


@one_line
def pytest_sessionstart(session: pytest.Session) -> None:
    """Check what needs a look at the disk."""
    session.config.stash[SESSION].start()


@pytest.hookimpl(trylast=True)
@one_line
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the cases of a model next to each other, under names without a group."""
    items[:] = collection.by_model(items)
    if config.getoption("loadgroup", False):
        loadgroup.take_groups_off(items)


@pytest.hookimpl(tryfirst=True)
@one_line
def pytest_collection_finish(session: pytest.Session) -> None:
    """Plan the passes for what is left after deselection, and share it out among the workers."""
    mine = session.config.stash[SESSION]
    mine.plan(session.items)
    mine.share_out(session.items)
    loadgroup.put_groups_back(session.items)


@one_line
def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Say on what the cases will run, should there be any."""
    return config.stash[SESSION].head_lines(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach a case's record to its reports, which is how it gets from a worker to the controller."""
    item.config.stash[SESSION].attach_record(item)
    return (yield)


@pytest.hookimpl(tryfirst=True)
@one_line
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write what belongs to the whole session: the indices of published models, the JSON summary."""
    session.config.stash[SESSION].finish(session)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind that only the running session needed."""
    session = config.stash.get(SESSION, None)
    if session is not None:
        session.close()


@one_line
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each pair costs, the totals and where the artifacts are."""
    # What pytest writes to is its own affair, but it has the encoding of the standard output.
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    lines = list(terminalreporter.config.stash[SESSION].summary_lines(blocks=encoding.lower().startswith("utf")))
    if lines:
        terminalreporter.section("quantization sensitivity")
    for line in lines:
        terminalreporter.write_line(visible(line))
