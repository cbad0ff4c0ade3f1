"""The commands that messages about one case tell a user to type next, with the places that this session was given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model import commands
from auto_quantize_model.cases.suite_file import suite_near
from auto_quantize_model.engines import DEFAULT_ENGINE
from auto_quantize_model.measuring import Scope
from auto_quantize_model.options import DEVICE, ENGINE, MEASURE, MODEL_PATH, MODELS_ROOT, OVERRIDE, REPORT_ONLY
from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from auto_quantize_model.options import Option
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.suites import SuiteCase


class Commands:
    """Commands for one case; pytest finds the suite by its folder, which holds its tests."""

    def __init__(self, suite_case: SuiteCase, options: Options) -> None:
        self._case_id = suite_case.case.id
        self._suite = suite_case.suite.path
        self._folder = display_path(suite_case.suite.path.parent)
        self._options = options
        self._places: list[tuple[Option, str]] = []
        if options.models_root is not None:
            self._places.append((MODELS_ROOT, display_path(options.models_root)))
        model = suite_case.case.model.name
        if model in options.model_paths:
            self._places.append((MODEL_PATH, f"{model}={display_path(options.model_paths[model])}"))

    def publish(self, baseline: Mapping[str, Any] | None = None) -> str:
        """Run this case and publish it; what this run measures, or its baseline has, is measured for it."""
        scope = self._options.measure.scope
        if not scope and baseline is not None and baseline.get("measured") is not None:
            scope = Scope("cases")
        measured = (MEASURE.pytest_flag, str(scope)) if scope else ()
        return commands.publish_command(self._folder, self._case_id, *self._places_for_pytest(), *measured)

    def publish_reports(self) -> str:
        """Render this case's reports again, in place."""
        options = (*self._places_for_pytest(), REPORT_ONLY.pytest_flag)
        return commands.publish_command(self._folder, self._case_id, *options)

    def update_snapshots(self) -> str:
        """Run the drift checks of the suite, and agree to the structure of what is committed."""
        return commands.drift_command(self._folder, *self._places_for_pytest(), "--snapshot-update")

    def explain(self) -> str:
        """Say which share of this case's drift each cause has, under the options of this session."""
        options = self._options
        given = list(self._places)
        given += [] if options.device is None else [(DEVICE, options.device)]
        given += [] if options.engine == DEFAULT_ENGINE else [(ENGINE, options.engine)]
        given += [(OVERRIDE, text) for text in options.overrides]
        words = [] if suite_near(Path.cwd()) == self._suite else ["--suite", display_path(self._suite)]
        words += [word for option, value in given for word in (option.flag, value)]
        return commands.explain_command(self._case_id, *words)

    def _places_for_pytest(self) -> list[str]:
        return [word for option, value in self._places for word in (option.pytest_flag, value)]
