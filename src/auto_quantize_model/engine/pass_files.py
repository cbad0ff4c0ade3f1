"""What one pass has of the disk: files of captured batches and of scores, and what an interrupted run left of both."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Protocol, Self

from auto_quantize_model.engine.capture.files import CaptureFiles, SpareFiles, unwritable
from auto_quantize_model.engine.capture.identity import capture_name, digest, package_version
from auto_quantize_model.engine.capture.interrupted import NO_FOLDER, pass_folder
from auto_quantize_model.engine.capture.kept import PACKAGE, unkept_folder
from auto_quantize_model.engine.machine.checked_json import DamagedFileError, read_checked, write_checked
from auto_quantize_model.engine.measurement.maxima import Maxima
from auto_quantize_model.engine.replay.score_files import ScoreFiles
from auto_quantize_model.errors import one_line

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from auto_quantize_model.engine.capture.batches import TokenBatch
    from auto_quantize_model.engine.capture.groups import Layout
    from auto_quantize_model.engine.capture.interrupted import PassFolder
    from auto_quantize_model.engine.capture.settings import CaptureSettings
    from auto_quantize_model.engine.capture.units import Unit
    from auto_quantize_model.engine.machine.operands import Operands
    from auto_quantize_model.plan import FormatSize, PassPlan
    from auto_quantize_model.reporting import Notice
    from auto_quantize_model.scores import GroupScore

_MAXIMA = "maxima.json"


@dataclasses.dataclass(frozen=True, slots=True)
class PassScores:
    """What came of capture and replay."""

    groups: Mapping[FormatSize, list[GroupScore]]
    maxima: Maxima
    kept_in: Path | None = None
    """The folder that a next run goes on from; None where there is none."""


class NamedPass(Protocol):
    """What a pass must be known by: equal for passes that come to the same bits."""

    @property
    def plan(self) -> PassPlan: ...
    @property
    def layout(self) -> Layout: ...
    @property
    def batches(self) -> Sequence[TokenBatch]: ...
    @property
    def formats(self) -> Collection[str]: ...
    @property
    def facts(self) -> dict[str, Any]: ...
    @property
    def operands(self) -> Operands: ...
    @property
    def units(self) -> tuple[Unit, ...]: ...
    @property
    def batch_names(self) -> list[str]: ...


class PassFiles:
    """The files of a pass, for the duration of a `with` block."""

    captures: CaptureFiles | None
    """None where captured batches are in memory alone."""
    scores: ScoreFiles | None
    """None where nobody but this process will use them."""

    def __init__(
        self,
        work: NamedPass,
        settings: CaptureSettings,
        chunk_elements: int,
        notice: Notice,
        *,
        needs_files: bool | None,
    ) -> None:
        """`needs_files` is whether memory does not hold all that is captured; None: nothing is captured here."""
        self._work = work
        self._settings = settings
        self._chunk_elements = chunk_elements
        self._notice = notice
        self._needs_files = needs_files
        self._about = {"model": work.plan.cases[0].model.name, **work.facts}
        self._open = contextlib.ExitStack()
        self._folder: PassFolder | None = None

    def __enter__(self) -> Self:
        """Find the places, and say what is there."""
        with contextlib.ExitStack() as opening:
            self._folder = self._enter_folder(opening)
            self.captures = None if self._needs_files is None else self._captures(opening)
            self.scores = self._scores()
            self._open = opening.pop_all()
        self._tell_going_on()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave what a next run may go on from."""
        self._open.__exit__(kind, error, at)

    def found(self) -> PassScores | None:
        """What comes of the pass if an interrupted run, or another process of this one, has done all of it."""
        if self._folder is None or self.scores is None:
            return None
        try:
            maxima = read_checked(self._folder.path / _MAXIMA)
        except DamagedFileError as error:
            self._notice(f"{error}; capturing again")
            return None
        groups = None if maxima is None else self.scores.complete()
        return None if groups is None else PassScores(groups, Maxima.from_json(maxima))

    def finish(self, scores: PassScores) -> PassScores:
        """All is scored, so that captured batches are of no more use; the scores, and where they are kept."""
        if self._folder is None:
            return scores
        with contextlib.suppress(OSError):
            write_checked(self._folder.path / _MAXIMA, scores.maxima.to_json())
        self._folder.finished = True
        return dataclasses.replace(scores, kept_in=self._folder.path)

    def _enter_folder(self, opening: contextlib.ExitStack) -> PassFolder | None:
        """The folder that a next run may go on from; a run that has none runs all the same."""
        run, root = self._settings.run, self._settings.root
        if run is None:
            return None
        about = {**self._about, PACKAGE: package_version()}
        try:
            return opening.enter_context(pass_folder(root, self._name, about, run, fresh=self._settings.fresh))
        except NO_FOLDER as error:
            reason = getattr(error, "strerror", None) or one_line(error)
            self._notice(f"{root}: cannot be used: {reason}; should this run be interrupted, the next one begins anew")
            return None

    def _captures(self, opening: contextlib.ExitStack) -> CaptureFiles | None:
        names, units = self._work.batch_names, self._work.units
        root, shared, folder = self._settings.root, self._settings.shared, self._folder
        if self._settings.keep:
            return CaptureFiles(root / capture_name(self._work.facts), names, self._about, units)
        if folder is not None and (self._needs_files or shared is not None):
            return CaptureFiles(folder.path, names, folder.about, units)
        if folder is not None:
            return SpareFiles(folder.path, names, folder.about, units, self._notice)
        if shared is not None:
            return CaptureFiles(shared / capture_name(self._work.facts), names, self._about, units)
        if self._needs_files:
            return CaptureFiles(_unkept(root, opening), names, self._about, units)
        return None

    def _scores(self) -> ScoreFiles | None:
        shared = self._settings.shared
        if self._folder is not None:
            place = self._folder.path
        elif shared is not None:
            place = shared / f"scores-{self._name}"
        else:
            return None
        return ScoreFiles(
            place,
            self._work.layout.groups,
            self._work.plan.format_sizes(self._work.formats),
            self._chunk_elements,
            self._notice,
            shared=shared is not None,
        )

    @property
    def _name(self) -> str:
        """Equal for passes that come to the same bits, but for how large the parts are that they compute in."""
        plan, formats = self._work.plan, self._work.formats
        asked = [
            self._about,
            package_version(),
            self._work.operands,
            self._work.batch_names,
            sorted(formats),
            repr((plan.format_sizes(formats), plan.batches, sorted(plan.sizes.items()))),
        ]
        return digest(json.dumps(asked, sort_keys=True).encode())

    def _tell_going_on(self) -> None:
        if self._folder is None or not self._folder.went_on or self.scores is None:
            return
        groups, batches = self.scores.count(), 0 if self.captures is None else self.captures.count()
        if groups or batches:
            self._notice(
                f"goes on: {groups} of {len(self._work.layout.groups)} groups and {batches} of "
                f"{len(self._work.batches)} batches were there from an interrupted run"
            )


def _unkept(root: Path, opening: contextlib.ExitStack) -> Path:
    try:
        return opening.enter_context(unkept_folder(root))
    except OSError as error:
        raise unwritable(root, error) from None
