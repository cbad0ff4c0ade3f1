"""The scores of groups on disk, for as long as the processes of one run share them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.scores import GroupScore, Split
from auto_quantize_model.whole_files import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from auto_quantize_model.plan import FormatSize
    from auto_quantize_model.scores import Group


class ScoreFiles:
    """One file a group, with its scores for every format and size."""

    def __init__(self, folder: Path) -> None:
        """`folder` belongs to this run and this pass alone."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, index: int) -> bool:
        """Whether a group is scored."""
        return (self._folder / _name(index)).is_file()

    def count(self) -> int:
        """How many groups are scored, by any process."""
        return len(list(self._folder.glob(_name("*"))))

    def lock(self, index: int) -> Path:
        """The file to lock while a group is scored."""
        return self._folder / f"{index}.lock"

    def write(self, index: int, scores: Mapping[FormatSize, GroupScore]) -> None:
        """Write a group's scores; JSON keeps every bit of a float."""
        document = {_key(key): _to_json(score) for key, score in scores.items()}
        write_files(self._folder, {_name(index): json.dumps(document)})

    def read(self, index: int, group: Group, wanted: Sequence[FormatSize]) -> dict[FormatSize, GroupScore]:
        """Read a group's scores, whichever process wrote them."""
        document = json.loads((self._folder / _name(index)).read_text(encoding="utf-8"))
        return {key: _from_json(group, document[_key(key)]) for key in wanted}


def _name(index: int | str) -> str:
    return f"group-{index}.json"


def _key(key: FormatSize) -> str:
    return json.dumps([key[0], *key[1]])


def _to_json(score: GroupScore) -> dict[str, Any]:
    return {
        "score": score.score,
        "predicted_kl": score.predicted_kl,
        "sample_scores": _listed(score.sample_scores),
        "sample_kl": _listed(score.sample_kl),
        "signed": _listed(score.signed),
        "status": score.status,
        "reason": score.reason,
        "split": None if score.split is None else [score.split.weights, score.split.activations],
    }


def _from_json(group: Group, values: Mapping[str, Any]) -> GroupScore:
    return GroupScore(
        group=group,
        score=values["score"],
        predicted_kl=values["predicted_kl"],
        sample_scores=_array(values["sample_scores"]),
        sample_kl=_array(values["sample_kl"]),
        signed=_array(values["signed"]),
        status=values["status"],
        reason=values["reason"],
        split=None if values["split"] is None else Split(*values["split"]),
    )


def _listed(samples: NDArray[np.float64] | None) -> list[Any] | None:
    return None if samples is None else samples.tolist()


def _array(values: list[Any] | None) -> NDArray[np.float64] | None:
    return None if values is None else np.array(values, dtype=np.float64)
