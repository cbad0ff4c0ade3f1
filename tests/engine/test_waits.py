"""Replay never waits for the device in the middle of a group: seen on a CPU by what reads a tensor's value."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

import pytest
from tests.places import SUITE
from tests.small_models import build_qwen3_moe
from torch.utils._python_dispatch import TorchDispatchMode

from auto_quantize_model import load_suite, run_cases
from auto_quantize_model.engine.replay import group_work, module_work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auto_quantize_model import Suite

READS = {"aten::_local_scalar_dense", "aten::is_nonzero", "aten::nonzero", "aten::masked_select", "aten::equal"}
REPLAY = "/auto_quantize_model/engine/replay/"
OURS_AND_MODELOPTS = ("/auto_quantize_model/", "/modelopt/")
"""Where a read comes from. ModelOpt's own are left out: it has other code for a GPU."""


class Reads(TorchDispatchMode):
    """Notes where in replay the host asked for a value that a device may not have yet."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func._schema.name in READS:
            places = [
                each for each in traceback.extract_stack() if any(part in each.filename for part in OURS_AND_MODELOPTS)
            ]
            if places and REPLAY in places[-1].filename:
                self.found.append(f"{func._schema.name} at {places[-1].filename}:{places[-1].lineno}")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("precision", ["exact", "tensor_core"])
def test_no_value_is_read_while_a_group_is_worked_on(precision: str, llama_suite: Callable[..., Suite]) -> None:
    with Reads() as reads:
        results = list(run_cases(llama_suite(f"autoquant.replay_precision={precision}").select("small"), device="cpu"))
    assert len(results) == 10
    assert reads.found == []


def test_a_read_would_be_seen(llama_suite: Callable[..., Suite], monkeypatch: pytest.MonkeyPatch) -> None:
    code = compile("def reads(values):\n    return bool(values.any())", f"{REPLAY}reading.py", "exec")
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102  a function that seems to be one of replay's
    real = group_work.GroupWork._gradients_of

    def reading(self: Any, product: Any) -> Any:
        names["reads"](self._inputs)
        return real(self, product)

    monkeypatch.setattr(group_work.GroupWork, "_gradients_of", reading)
    with Reads() as reads:
        list(run_cases(llama_suite().select("wint8_afp16 and small"), device="cpu"))
    assert len(reads.found) == 8


def test_what_a_group_of_experts_comes_to_is_fetched_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_qwen3_moe(tmp_path / "moe" / "checkpoint")
    (tmp_path / "moe" / "model.yaml").write_text("family: causal_lm\ndtype: float32\n", encoding="utf-8")
    fetched: list[int] = []
    real = group_work.under_way

    def counted(values: Any) -> Any:
        fetched.append(len(values))
        return real(values)

    monkeypatch.setattr(module_work, "under_way", counted)
    overrides = ["suite.models=[moe]", "suite.pairs=[wfp8_afp8,wint8_aint8]"]
    with Reads() as reads:
        results = list(
            run_cases(load_suite(SUITE, models_root=tmp_path, overrides=overrides).select("small"), device="cpu")
        )
    assert results[0].scores is not None
    experts = [each for each in results[0].scores.groups if each.group.scored_at]
    # Two pairs with both sides and each alone.
    assert fetched == [6] * len(experts)
    assert reads.found == []
