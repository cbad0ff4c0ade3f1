"""What a pass works with once its model is loaded."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import TYPE_CHECKING, Any

import torch

from auto_quantize_model.engine.capture.files import batch_names
from auto_quantize_model.engine.capture.identity import code_version, digest
from auto_quantize_model.engine.capture.units import may_join, run_together
from auto_quantize_model.engine.machine.devices import devices_of
from auto_quantize_model.engine.machine.environment import describe_environment
from auto_quantize_model.engine.memory import predict
from auto_quantize_model.engine.replay.rows import describe_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from auto_quantize_model.checkpoints.checkpoint import Checkpoint
    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.engine.memory import Needs
    from auto_quantize_model.engine.replay.rows import Rows
    from auto_quantize_model.families.loaded import LoadedModel
    from auto_quantize_model.plan import PassPlan
    from auto_quantize_model.precision.quantizers import FormatQuantizers


@dataclasses.dataclass(frozen=True)
class LoadedPass:
    """Everything that a pass works with once its model is loaded."""

    loaded: LoadedModel
    layout: Layout
    plan: PassPlan
    batches: Sequence[TokenBatch]
    formats: Mapping[str, FormatQuantizers]
    checkpoint: Checkpoint
    operands: Operands = "float32"
    """What replay's products may be rounded to."""
    joined: bool = False
    """Whether batches run together where they may."""

    @property
    def device(self) -> torch.device:
        """Where the pass runs, or begins if the model is spread over several devices."""
        return self.loaded.device

    @property
    def devices(self) -> list[torch.device]:
        """Every device of the language model."""
        return devices_of(self.loaded)

    @functools.cached_property
    def facts(self) -> dict[str, Any]:
        """Everything but the tokens that a captured batch depends on."""
        groups = [[group.members, group.scored_at] for group in self.layout.groups]
        return {
            "checkpoint_sha256": self.checkpoint.fingerprint,
            "family": self.plan.cases[0].model.family,
            "dtype": str(self.loaded.dtype).removeprefix("torch."),
            "groups": digest(json.dumps(groups).encode()),
            "calls": self.calls,
            "computation": digest(json.dumps(self._computation(), sort_keys=True, default=str).encode()),
            "environment": describe_environment(self.device),
            "code": code_version(),
        }

    @property
    def rows(self) -> Rows:
        """Where each row of the scored batches comes from."""
        return describe_rows(self.plan, self.batches, self.plan.scored)

    @property
    def counted(self) -> dict[int, Tensor]:
        """Of each scored batch, which of its positions those rows are."""
        return {index: self.batches[index].counted.flatten().nonzero().squeeze(1) for index in self.plan.scored}

    @property
    def calls(self) -> bool:
        """Whether replay must know what every layer was called with."""
        return any(each.by_module for each in self.formats.values())

    @functools.cached_property
    def units(self) -> tuple[Unit, ...]:
        """The batches that run together."""
        joined = may_join(self.loaded, self.layout, calls=self.calls) if self.joined else "none"
        return run_together(self.plan, self.batches, self.loaded, joined)

    @property
    def needs(self) -> Needs:
        """What the pass takes of memory."""
        weight_formats = len({each.weight_key for each in self.formats.values()})
        # Where operands are rounded, the weights as they are are kept so too.
        weight_formats += self.operands != "float32"
        return predict(
            self.loaded, self.layout, self.batches, self.plan, weight_formats, units=self.units, calls=self.calls
        )

    @functools.cached_property
    def batch_names(self) -> list[str]:
        """What tells the batches of one model apart."""
        return batch_names(self.batches, self.units, self.plan.scored, self.plan.probes)

    def _computation(self) -> list[Any]:
        """What the model computes with its weights: the same ones mean something else under another configuration."""
        config = self.loaded.model.config
        settings = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
        return [settings, config._attn_implementation, torch.get_float32_matmul_precision()]
