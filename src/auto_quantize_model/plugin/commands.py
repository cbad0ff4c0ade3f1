"""The commands that messages about one case tell a user to type next, with the places that this session was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auto_quantize_model import commands
from auto_quantize_model.paths import display_path

if TYPE_CHECKING:
    from auto_quantize_model.plugin.options import Options
    from auto_quantize_model.plugin.suites import SuiteCase

_DEFAULT_SUITE = "sensitivity_cases/suite.yaml"
"""What the command line reads unless told."""


class Commands:
    """Commands for one case; the suite is named by its folder, which holds its tests."""

    def __init__(self, suite_case: SuiteCase, options: Options) -> None:
        self._case_id = suite_case.case.id
        self._suite = display_path(suite_case.suite.path)
        self._folder = display_path(suite_case.suite.path.parent)
        self._options = options
        root, path = options.models_root, options.model_paths.get(suite_case.case.model.name)
        self._places = {} if root is None else {"models-root": display_path(root)}
        if path is not None:
            self._places["model-path"] = f"{suite_case.case.model.name}={display_path(path)}"

    def publish(self) -> str:
        """Run this case and publish it."""
        return commands.publish_command(self._folder, self._case_id, *self._places_for_pytest())

    def publish_reports(self) -> str:
        """Render this case's reports again, in place."""
        places = self._places_for_pytest()
        return commands.publish_command(self._folder, self._case_id, *places, "--sensitivity-report-only")

    def update_snapshots(self) -> str:
        """Run the drift checks of the suite, and take what is committed for right."""
        return commands.drift_command(self._folder, *self._places_for_pytest(), "--snapshot-update")

    def explain(self) -> str:
        """Say which share of this case's drift each cause has, with everything as it was in this session."""
        asked = self._options
        words = [] if self._suite == _DEFAULT_SUITE else ["--suite", self._suite]
        words += [word for name, place in self._places.items() for word in (f"--{name}", place)]
        words += [] if asked.device is None else ["--device", asked.device]
        words += [] if asked.engine == "replay" else ["--engine", asked.engine]
        words += [word for text in asked.overrides for word in ("--override", text)]
        return commands.explain_command(self._case_id, *words)

    def _places_for_pytest(self) -> list[str]:
        return [word for name, place in self._places.items() for word in (f"--sensitivity-{name}", place)]
