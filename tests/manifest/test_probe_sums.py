"""The file of probe sums: the same numbers back, damage told in one line, and whose they are."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import save
from tests.places import ROOT

from auto_quantize_model.errors import InputError
from auto_quantize_model.manifest.document import read_manifest
from auto_quantize_model.manifest.probe_sums import ProbeSums, disagreement, dump_probe_sums, parse_probe_sums

FOLDER = ROOT / "models/qwen3_vl_tiny/layer-analysis/weight-fp8-act-fp8/qwen3_vl_tiny_autoquant_wfp8_afp8_lm_small"
NAME = "wfp8_afp8_autoquant_lm"


def some() -> ProbeSums:
    random = np.random.default_rng(0)
    return ProbeSums(np.array([3, 5, 1]), {name: random.normal(size=(2, 3)) for name in ("a.0", "b.1")})


def test_what_was_written_is_read() -> None:
    sums = some()
    read = parse_probe_sums(dump_probe_sums(sums), "here")
    assert read.tokens.tolist() == [3, 5, 1]
    assert read.groups.keys() == sums.groups.keys()
    assert all(np.allclose(read.groups[name], sums.groups[name], rtol=1e-6) for name in sums.groups)
    assert dump_probe_sums(sums) == dump_probe_sums(some())


NOT_SUMS = {
    "tokens that are no whole numbers": {"tokens": np.full(3, np.nan, np.float32), "a": np.ones((2, 3), np.float32)},
    "fewer tokens than none": {"tokens": np.array([3, -5, 1], np.int32), "a": np.ones((2, 3), np.float32)},
    "no numbers": {"tokens": np.array([3, 5, 1], np.int32), "a": np.full((2, 3), np.nan, np.float32)},
    "too large": {"tokens": np.array([3, 5, 1], np.int32), "a": np.full((2, 3), np.inf, np.float32)},
    "bits": {"tokens": np.array([3, 5, 1], np.int32), "a": np.ones((2, 3), np.bool_)},
}


@pytest.mark.parametrize("tensors", NOT_SUMS.values(), ids=NOT_SUMS)
def test_what_no_run_has_written_is_told_in_one_line(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(InputError, match=r"^here: not a file of probe sums: [^\n]*publish the case again$"):
        parse_probe_sums(save(tensors), "here")


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, dump_probe_sums(some())[:-3]])
def test_what_is_damaged_is_told_in_one_line(damage: bytes) -> None:
    with pytest.raises(InputError, match=r"^here: not a file of probe sums: [^\n]*publish the case again$"):
        parse_probe_sums(damage, "here")


def test_groups_of_other_captions_are_refused() -> None:
    content = dump_probe_sums(ProbeSums(np.array([3, 5]), some().groups))
    with pytest.raises(InputError, match="not of as many captions"):
        parse_probe_sums(content, "here")


def test_committed_sums_are_their_manifests_own() -> None:
    manifest = read_manifest(FOLDER / f"{NAME}_quant_manifest.json")
    sums = parse_probe_sums((FOLDER / f"{NAME}_probe_sums.safetensors").read_bytes(), "here")
    assert disagreement(manifest, sums) is None
    name = next(iter(sums.groups))
    moved = {**sums.groups, name: sums.groups[name] * 1.001}
    assert f"gives {name} a predicted KL" in str(disagreement(manifest, ProbeSums(sums.tokens, moved)))
    fewer = {each: values for each, values in sums.groups.items() if each != name}
    assert f"lacks the group {name}" in str(disagreement(manifest, ProbeSums(sums.tokens, fewer)))
    assert "loss tokens" in str(disagreement(manifest, ProbeSums(sums.tokens * 2, sums.groups)))
