"""A case's artifacts: which files they are, where they lie, and writing them all or none."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from auto_quantize_model.manifest.document import check_manifest, dumps, mapping
from auto_quantize_model.manifest.older import is_older
from auto_quantize_model.manifest.probe_sums import SUFFIX, dump_probe_sums, probe_sums_of
from auto_quantize_model.pictures import case_figure, recipe_figure
from auto_quantize_model.reports import json_report, markdown
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auto_quantize_model.cases.suite import Case
    from auto_quantize_model.scores import CaseScores

_RENDERERS = {
    json_report.NAME: json_report.render,
    markdown.NAME: markdown.render,
    case_figure.NAME: case_figure.render,
}
REPORT_NAMES = tuple(_RENDERERS)
MANIFEST_SUFFIX = "_quant_manifest.json"
"""How the name of every manifest's file ends."""
RECIPE_NAMES = ("recipe.yaml", "recipe.json", "recipe.md", recipe_figure.NAME, "pareto.json", "quant_cfg.json")
"""The files that every recipe has."""
RUNTIME_NAMES = {
    "modelopt_recipe": "modelopt_recipe.yaml",
    "hf_quant_config": "hf_quant_config.json",
    "compressed_tensors": "quantization_config.json",
    "llm_compressor": "llm_compressor_recipe.yaml",
}
"""The file that a recipe for a runtime has beside them, by the form that the runtime reads."""
RECIPE_FILES = (*RECIPE_NAMES, *RUNTIME_NAMES.values())
STAGING = ".publishing"
"""The folder of a models tree, two levels above a published one, in which it is prepared; holds no results."""


def default_output(root: Path = Path()) -> Path:
    """Where a run writes its artifacts unless told; fine enough a time that two runs do not share a folder."""
    return root / "tmp" / "sensitivity" / dt.datetime.now(tz=dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def manifest_name(manifest: Mapping[str, Any]) -> str:
    """The file name of a manifest; an older one may be of no scheme."""
    return f"{mapping(manifest, 'scheme').get('name', 'unnamed')}{MANIFEST_SUFFIX}"


def render_reports(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Every report of a manifest, by file name."""
    return {name: render(manifest) for name, render in _RENDERERS.items()}


def probe_sums_name(manifest: Mapping[str, Any]) -> str:
    """The file name of the probe sums beside a manifest."""
    return f"{mapping(manifest, 'scheme').get('name', 'unnamed')}{SUFFIX}"


def write_case(case: Case, manifest: Mapping[str, Any], root: Path, scores: CaseScores | None = None) -> Path:
    """Write a case's manifest, reports and probe sums where they lie under a models tree; returns their folder."""
    if not is_older(manifest):
        check_manifest(manifest)
    folder = root / case.run_folder
    sums = None if scores is None else probe_sums_of(scores)
    beside = {} if sums is None else {probe_sums_name(manifest): dump_probe_sums(sums)}
    write_files(folder, {manifest_name(manifest): dumps(manifest), **render_reports(manifest), **beside})
    return folder


def write_composed_config(cases: Sequence[Case], root: Path) -> None:
    """Write the configuration that the cases ran with, every default and override in place."""
    composed = {
        case.id: {
            "model": case.model.model_dump(mode="json"),
            "quant_pair": case.pair.model_dump(mode="json"),
            "size": case.size,
            "dataset": case.dataset.model_dump(mode="json"),
            "autoquant": case.autoquant.model_dump(mode="json"),
        }
        for case in cases
    }
    write_files(root, {"config.yaml": yaml.dump(composed, Dumper=_PlainDumper, sort_keys=False, width=120)})


class _PlainDumper(yaml.SafeDumper):
    """Repeats what is equal instead of pointing at it: the file is read by people."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  PyYAML's signature
        return True
