"""The file of probe sums: the same numbers back, damage told in one line, and whose they are."""

from __future__ import annotations

from typing import Any

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
    names = ("a.0", "b.1")
    signed, kl = ({name: random.random(size=size) for name in names} for size in ((2, 3), 3))
    return ProbeSums(np.array([3, 5, 1]), signed, kl)


def test_what_was_written_is_read() -> None:
    sums = some()
    read = parse_probe_sums(dump_probe_sums(sums), "here")
    assert read.tokens.tolist() == [3, 5, 1]
    assert read.groups.keys() == sums.groups.keys()
    assert all(np.allclose(read.groups[name], sums.groups[name], rtol=1e-6) for name in sums.groups)
    assert all(np.allclose(read.kl[name], sums.kl[name], rtol=1e-6) for name in sums.groups)
    assert dump_probe_sums(sums) == dump_probe_sums(some())


FINE: dict[str, np.ndarray[Any, Any]] = {
    "tokens": np.array([3, 5, 1], np.int32),
    "names": np.frombuffer(b"a", np.uint8),
    "signed": np.ones((1, 2, 3), np.float32),
    "kl": np.ones((1, 3), np.float32),
}
NOT_SUMS: dict[str, dict[str, np.ndarray[Any, Any]]] = {
    "tokens that are no whole numbers": {"tokens": np.full(3, np.nan, np.float32)},
    "fewer tokens than none": {"tokens": np.array([3, -5, 1], np.int32)},
    "no numbers": {"signed": np.full((1, 2, 3), np.nan, np.float32)},
    "too large": {"kl": np.full((1, 3), np.inf, np.float32)},
    "bits": {"signed": np.ones((1, 2, 3), np.bool_)},
    "names that are no text": {"names": np.frombuffer(b"\xff", np.uint8)},
}


@pytest.mark.parametrize("wrong", NOT_SUMS.values(), ids=NOT_SUMS)
def test_what_no_run_has_written_is_told_in_one_line(wrong: dict[str, np.ndarray[Any, Any]]) -> None:
    assert parse_probe_sums(save(FINE), "here").groups.keys() == {"a"}
    with pytest.raises(InputError, match=r"^here: not a file of probe sums: [^\n]*publish the case again$"):
        parse_probe_sums(save({**FINE, **wrong}), "here")


@pytest.mark.parametrize("missing", FINE)
def test_what_is_missing_is_told_in_one_line(missing: str) -> None:
    rest = {name: tensor for name, tensor in FINE.items() if name != missing}
    with pytest.raises(InputError, match=rf"^here: not a file of probe sums: '{missing}'; publish the case again$"):
        parse_probe_sums(save(rest), "here")


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, dump_probe_sums(some())[:-3]])
def test_what_is_damaged_is_told_in_one_line(damage: bytes) -> None:
    with pytest.raises(InputError, match=r"^here: not a file of probe sums: [^\n]*publish the case again$"):
        parse_probe_sums(damage, "here")


@pytest.mark.parametrize(
    "other",
    [
        {"tokens": np.array([3, 5], np.int32)},
        {"names": np.frombuffer(b"a\nb", np.uint8)},
        {"signed": np.ones((2, 3), np.float32)},
        {"kl": np.ones((1, 2), np.float32)},
    ],
    ids=["captions", "names", "no probes", "captions of the predictions"],
)
def test_groups_of_other_captions_are_refused(other: dict[str, np.ndarray[Any, Any]]) -> None:
    with pytest.raises(InputError, match="not of as many captions"):
        parse_probe_sums(save({**FINE, **other}), "here")


def test_committed_sums_are_their_manifests_own() -> None:
    manifest = read_manifest(FOLDER / f"{NAME}_quant_manifest.json")
    sums = parse_probe_sums((FOLDER / f"{NAME}_probe_sums.safetensors").read_bytes(), "here")
    assert disagreement(manifest, sums) is None
    name = next(iter(sums.groups))
    moved = {**sums.kl, name: sums.kl[name] * 1.001}
    assert f"gives {name} a predicted KL" in str(disagreement(manifest, ProbeSums(sums.tokens, sums.groups, moved)))
    fewer = {each: values for each, values in sums.groups.items() if each != name}
    assert f"lacks the group {name}" in str(disagreement(manifest, ProbeSums(sums.tokens, fewer, sums.kl)))
    assert "loss tokens" in str(disagreement(manifest, ProbeSums(sums.tokens * 2, sums.groups, sums.kl)))
