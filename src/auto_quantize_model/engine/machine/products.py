"""The matrix products of replay and of measuring, in float32 on the fastest kernel there is.

On CPU this is oneDNN, which torch itself calls for float32 only in compiled graphs: on processors where the default
BLAS takes no AVX-512 path it is more than twice as fast. The choice depends on the build of torch alone, never on a
timing, so that results repeat. While it is captured the model keeps torch's own products: an input that differs in its
last bit can quantize to another value, and the scores must be those of the inputs that ModelOpt sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from torch import Tensor

_ONEDNN: Final = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`rows @ weight.T + bias`; the rows are of one kind of number with the weight, and may have several axes."""
    if _ONEDNN and rows.device.type == "cpu" and rows.dtype == torch.float32:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
        return result
    return torch.nn.functional.linear(rows, weight, bias)
