"""How far logits are from those of the unquantized model, token by token."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Divergence:
    """Three numbers of each token, by assignment."""

    kl: Tensor
    """The KL divergence of the new distribution from the unquantized one, in nats."""
    loss_change: Tensor
    """By how much the new one gives less to the token that came next, in nats."""
    agrees: Tensor
    """Whether both have the same first choice."""


class Before:
    """The unquantized model's logits, a row a token."""

    def __init__(self, logits: Tensor, targets: Tensor) -> None:
        self.logits = logits
        self._targets = targets[None, :, None]
        self._chances = torch.softmax(logits, dim=-1)
        self._choices = logits.argmax(dim=-1)

    def divergence(self, after: Tensor) -> Divergence:
        """Compare new logits, by assignment and token, with these; they are overwritten.

        With `d` the difference of the logits from its mean by the unquantized chances, the divergence is the logarithm
        of the mean of `exp(d)`, which is one at least. Of `exp(d) - 1` instead, nothing large cancels: in float32 a
        token keeps a millionth of its change as noise at most, where logarithms of chances keep 1e-6 nats however
        little has changed.
        """
        agrees = after.argmax(dim=-1) == self._choices
        change = after.sub_(self.logits)
        change -= self._mean(change)[:, :, None]
        of_target = change.gather(-1, self._targets.expand(len(change), -1, -1)).squeeze(-1)
        kl = torch.log1p(self._mean(change.expm1_()).clamp(min=0.0))
        return Divergence(kl=kl, loss_change=kl - of_target, agrees=agrees)

    def _mean(self, values: Tensor) -> Tensor:
        """By the unquantized chances, over the vocabulary."""
        # A product of matrices, token by token, reads the values once and writes none.
        return (values.transpose(0, 1) @ self._chances[:, :, None]).squeeze(-1).T
