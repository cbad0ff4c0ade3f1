"""The scores of groups on disk: for other processes of this run, and for a run that goes on from this one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from auto_quantize_model.engine.machine.checked_json import read_or_remove, write_checked
from auto_quantize_model.errors import one_line
from auto_quantize_model.reporting import no_notice
from auto_quantize_model.scores import Calibration, GroupScore, Split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from numpy.typing import NDArray

    from auto_quantize_model.plan import FormatSize
    from auto_quantize_model.reporting import Notice
    from auto_quantize_model.scores import Group

    _GroupScores = Mapping[FormatSize, GroupScore]


class ScoreFiles:
    """One file a group, with its scores for every format and size. What was written or read stays in memory too."""

    def __init__(
        self,
        folder: Path,
        groups: Sequence[Group],
        wanted: Sequence[FormatSize],
        chunk_elements: int,
        notice: Notice = no_notice,
        *,
        shared: bool,
    ) -> None:
        """`folder` belongs to this pass alone; `shared` is whether other processes work on it now.

        Scores that were computed in parts of other `chunk_elements` may have other last bits, and are not taken.
        """
        self.shared = shared
        self._folder = folder
        self._groups = groups
        self._wanted = wanted
        self._chunk_elements = chunk_elements
        self._notice = notice
        self._found: dict[int, _GroupScores] = {}
        self._full = False
        folder.mkdir(parents=True, exist_ok=True)

    def has(self, index: int) -> bool:
        """Whether a group is scored, by any process, and can be read."""
        return self._find(index) is not None

    def count(self) -> int:
        """How many groups are scored, by any process."""
        return sum(map(self.has, range(len(self._groups))))

    def lock(self, index: int) -> Path:
        """The file to lock while a group is scored."""
        return self._folder / f"{index}.lock"

    def write(self, index: int, scores: _GroupScores) -> None:
        """Write a group's scores; where that cannot be, they stay in memory."""
        self._found[index] = scores
        if self._full:
            return
        try:
            write_checked(self._file(index), {_key(key): _to_json(score) for key, score in scores.items()})
        except OSError as error:
            self._full = True
            self._notice(
                f"{self._folder}: scores cannot be written: {error.strerror or one_line(error)}; going on without"
            )

    def complete(self) -> dict[FormatSize, list[GroupScore]] | None:
        """Every group's scores for every format and size; None where some are missing."""
        numbers = range(len(self._groups))
        if not all(map(self.has, numbers)):
            return None
        return {each: [self.read(index)[each] for index in numbers] for each in self._wanted}

    def read(self, index: int) -> _GroupScores:
        """A group's scores, whichever process wrote them."""
        scores = self._find(index)
        assert scores is not None  # noqa: S101  for the type checker
        return scores

    def _find(self, index: int) -> _GroupScores | None:
        if index not in self._found:
            document = read_or_remove(self._file(index), self._notice, "scoring the group again")
            if document is None:
                return None
            group = self._groups[index]
            self._found[index] = {key: _from_json(group, document[_key(key)]) for key in self._wanted}
        return self._found[index]

    def _file(self, index: int) -> Path:
        return self._folder / f"group-{index}-{self._chunk_elements}.json"


def _key(key: FormatSize) -> str:
    return json.dumps([key[0], *key[1]])


def _to_json(score: GroupScore) -> dict[str, Any]:
    return {
        "score": score.score,
        "sample_scores": _listed(score.sample_scores),
        "signed": _listed(score.signed),
        "row_kl": _listed(score.row_kl),
        "status": score.status,
        "reason": score.reason,
        "padding_sets_maximum": score.padding_sets_maximum,
        "calibration": None if score.calibration is None else [score.calibration.log_spread],
        "split": None if score.split is None else [score.split.weights, score.split.activations],
    }


def _from_json(group: Group, values: Mapping[str, Any]) -> GroupScore:
    return GroupScore(
        group=group,
        score=values["score"],
        predicted_kl=None,
        sample_scores=_array(values["sample_scores"]),
        sample_kl=None,
        signed=_array(values["signed"]),
        row_kl=_array(values["row_kl"]),
        status=values["status"],
        reason=values["reason"],
        padding_sets_maximum=values["padding_sets_maximum"],
        calibration=None if values["calibration"] is None else Calibration(*values["calibration"]),
        split=None if values["split"] is None else Split(*values["split"]),
    )


def _listed(samples: NDArray[np.float64] | None) -> list[Any] | None:
    return None if samples is None else samples.tolist()


def _array(values: list[Any] | None) -> NDArray[np.float64] | None:
    return None if values is None else np.array(values, dtype=np.float64)
