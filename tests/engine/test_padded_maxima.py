"""Maxima that padding sets: told apart from those of captions, kept, and named in manifest and report."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
import torch
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.checkpoints.opening import open_checkpoint
from auto_quantize_model.engine.capture.batches import tokenize
from auto_quantize_model.engine.capture.captured import Placement, capture
from auto_quantize_model.engine.capture.files import CaptureFiles, batch_names
from auto_quantize_model.engine.capture.groups import find_groups
from auto_quantize_model.engine.capture.units import may_join, run_together
from auto_quantize_model.families import load_model
from auto_quantize_model.plan import plan_passes
from auto_quantize_model.reports.markdown import render

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model.families.loaded import LoadedModel

FIRST = "model.language_model.layers.0.self_attn.q_proj"


def load_with_loud_padding(*arguments: Any) -> LoadedModel:
    """The embedded model, but nothing is as large as what it makes of padding."""
    loaded = load_model(*arguments)
    embedding = loaded.model.get_input_embeddings().weight
    quiet = embedding.abs().amax() * 50
    with torch.no_grad():
        embedding[loaded.tokenizer.pad_token_id, 0] = quiet
    return loaded


@pytest.mark.parametrize("joined", [False, True], ids=["one by one", "together"])
def test_padding_is_told_from_captions(joined: bool, tmp_path: Path) -> None:
    cases = load_suite(SUITE).select("tiny and wint8_aint8 and medium")
    (plan,) = plan_passes(cases)
    loaded = load_with_loud_padding(cases[0].model, open_checkpoint(cases[0].checkpoint), torch.device("cpu"))
    batches, layout = tokenize(plan, loaded), find_groups(loaded)
    assert not batches[0].attention_mask.all()
    units = run_together(plan, batches, loaded, may_join(loaded, layout, calls=False)) if joined else None
    assert units is None or len(units) < len(batches)
    files = CaptureFiles(tmp_path, batch_names(batches, units or (), (), 1), {})
    found = capture(loaded, layout, batches, (), 1, placement=Placement(files=files), units=units)
    first = [group.name for group in layout.groups].index(FIRST)
    assert (found.maxima()[first] > 2 * found.unpadded_maxima()[first]).all()
    assert (found.maxima() >= found.unpadded_maxima()).all()
    again = capture(loaded, layout, batches, (), 1, placement=Placement(files=files), units=units)
    assert again.made == 0
    assert again.unpadded_maxima().tolist() == found.unpadded_maxima().tolist()
    whole = [dataclasses.replace(each, attention_mask=torch.ones_like(each.attention_mask)) for each in batches]
    unpadded = capture(loaded, layout, whole, (), 1)
    assert unpadded.unpadded_maxima().tolist() == unpadded.maxima().tolist()


@pytest.mark.parametrize(("load", "padded"), [(load_model, False), (load_with_loud_padding, True)])
def test_manifest_and_report_name_the_groups(
    monkeypatch: pytest.MonkeyPatch, load: Callable[..., LoadedModel], padded: bool
) -> None:
    monkeypatch.setattr("auto_quantize_model.engine.execution.load_model", load)
    cases = load_suite(SUITE).select("tiny and (wint8_aint8 or wint8_afp16) and small")
    without, calibrated = (result.manifest for result in run_cases(cases, device="cpu"))
    assert without is not None
    assert calibrated is not None
    entries = calibrated["layer_sensitivity"]
    assert entries[f"{FIRST}.quant_recipe"].get("padding_sets_maximum", False) is padded
    section = render(calibrated).partition("## Maxima that padding sets")[2].partition("\n#")[0]
    assert (f"`{FIRST}`" in section) is padded
    assert not any("padding_sets_maximum" in each for each in without["layer_sensitivity"].values())
