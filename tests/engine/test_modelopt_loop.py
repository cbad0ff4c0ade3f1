from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.engine.modelopt_direct import scored_groups, search_state
from tests.places import SUITE

from auto_quantize_model import load_suite, run_cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from auto_quantize_model import Suite

TINY_ONLY = "suite.models=[qwen3_vl_tiny]"


def test_the_kl_method_runs_on_modelopt_and_equals_it() -> None:
    suite = load_suite(SUITE, overrides=[TINY_ONLY, "autoquant.method=kl_div", "dataset.size_to_max_samples.small=8"])
    (case,) = suite.select("wfp8_afp8 and small")
    (result,) = run_cases([case], engine="replay", device="cpu")
    assert result.manifest is not None
    assert result.manifest["engine"]["name"] == "modelopt"
    assert result.manifest["scheme"]["auto_quantize_method"] == "kl_div"
    entries = result.manifest["layer_sensitivity"]
    theirs = scored_groups(search_state(case))
    assert len(theirs) == 32
    for name, stats in theirs.items():
        assert entries[name]["scores"][0] == pytest.approx(stats["scores"][0], rel=1e-6)
        assert entries[name]["predicted_kl"] is None
        assert entries[name]["ci95"] is None
        assert entries[name]["tie_band"] is None
    assert result.manifest["statistics"] is None


def test_the_modelopt_engine_gives_replays_scores(llama_suite: Callable[..., Suite]) -> None:
    cases = llama_suite("dataset.size_to_max_samples.small=13").select("small and (wint8_aint8 or wmxfp4_afp8)")
    replayed = list(run_cases(cases, engine="replay", device="cpu"))
    seen: list[tuple[str, int, int]] = []
    looped = list(run_cases(cases, engine="modelopt", device="cpu", progress=lambda *event: seen.append(event)))
    first, second = ([("modelopt", case, 2), ("load", case, 2), ("load", case + 1, 2)] for case in (0, 1))
    assert seen == [*first, *second, ("modelopt", 2, 2)]
    for mine, theirs in zip(replayed, looped, strict=True):
        assert mine.scores is not None
        assert theirs.scores is not None
        assert mine.manifest is not None
        assert theirs.manifest is not None
        assert [s.score for s in mine.scores.groups] == pytest.approx([s.score for s in theirs.scores.groups], rel=1e-4)
        assert theirs.manifest["engine"]["name"] == "modelopt"
        for key in ("layers", "calibration", "quantization", "scheme"):
            assert mine.manifest[key] == theirs.manifest[key]
