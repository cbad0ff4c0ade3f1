"""What differs between a baseline and a case as it would run now, and how to set each difference back."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from auto_quantize_model.comparison.known_causes import (
    CAPTIONS_FACT,
    DEVICE_FACT,
    ENGINE_FACT,
    FACTS,
    PAIR_CONFIG_FACT,
    PRECISION_FACT,
    SAMPLES_FACT,
)
from auto_quantize_model.engines import ENGINES
from auto_quantize_model.errors import CaseError, InputError, NotCoveredError
from auto_quantize_model.explain.older_captions import CaptionSearch, Prefix
from auto_quantize_model.manifest.document import mapping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import torch

    from auto_quantize_model.comparison.known_causes import Fact, Section
    from auto_quantize_model.explain.older_captions import CaptionSources, Text
    from auto_quantize_model.explain.setups import Setup
    from auto_quantize_model.precision.formats import ResolvedFormat


@dataclasses.dataclass(frozen=True, slots=True)
class Cause:
    """One difference that a rerun can test."""

    name: str
    old: str
    new: str
    set_back: Callable[[Setup], Setup]
    """The setup with this one difference undone."""


@dataclasses.dataclass(frozen=True, slots=True)
class UntestedCause:
    """One difference that no rerun here can test."""

    name: str
    old: str
    new: str
    why: str


@dataclasses.dataclass(frozen=True, slots=True)
class Differences:
    """All that differs between a baseline and what would run now, as far as settings tell."""

    now: Setup
    """The setup as it would run now; the causes are set back in it."""
    causes: tuple[Cause, ...]
    untested: tuple[UntestedCause, ...]
    unstated: tuple[str, ...]
    """What an older manifest does not say, so that it can be neither compared nor set back."""


def stated(manifest: Mapping[str, Any], section: str, key: str) -> Any:
    """What a manifest says about something; None where it says nothing."""
    return mapping(manifest, section).get(key)


def find_differences(now: Setup, baseline: Mapping[str, Any], sources: CaptionSources, scratch: Path) -> Differences:
    """Compare a baseline with a setup.

    Versions of captions that come out of the git history are written to `scratch`; they must stay there until the
    reruns are done.
    """
    if sources.given is not None:
        now.case.captions.of_file(sources.given).read(1)
    finder = DifferenceFinder(now, baseline)
    finder.pair_config()
    finder.captions(sources, scratch)
    for fact in FACTS:
        if fact.setting is not None:
            finder.setting(fact, *fact.setting)
    finder.engine()
    finder.precision()
    finder.device()
    return Differences(finder.now, tuple(finder.causes), tuple(finder.untested), tuple(finder.unstated))


class DifferenceFinder:
    """Collects what differs, one kind of fact after the other."""

    def __init__(self, now: Setup, baseline: Mapping[str, Any]) -> None:
        self.now = now
        self.baseline = baseline
        self.causes: list[Cause] = []
        self.untested: list[UntestedCause] = []
        self.unstated: list[str] = []

    def setting(self, fact: Fact, section: Section, key: str) -> None:
        """A setting that a manifest repeats as it is."""
        old, new = self._stated(fact), getattr(getattr(self.now.case, section), key)
        if old is None or old == new:
            return

        def set_back(setup: Setup) -> Setup:
            return setup.with_settings(section, **{key: old})

        self._add(Cause(fact.name, str(old), str(new), set_back))

    def pair_config(self) -> None:
        """The pair's configuration, as the installed ModelOpt understands the older one and the pair's own."""
        from auto_quantize_model.cases.settings import FormatSettings
        from auto_quantize_model.precision.formats import resolve_format

        config = self._stated(PAIR_CONFIG_FACT)
        if config is None:
            return
        new = resolve_format(self.now.case.pair.format)
        name = str(stated(self.baseline, "quantization", "format"))
        names = (
            _called(name, str(stated(self.baseline, "quantization", "config_sha256"))),
            _called(new.name, new.sha256),
        )
        try:
            old = FormatSettings(name=name, config=config)
            resolved = resolve_format(old)
            self._check_format(resolved)
        except (CaseError, ValueError) as error:
            self.untested.append(UntestedCause(PAIR_CONFIG_FACT.name, *names, " ".join(str(error).split())))
            return
        # Not as the manifest holds it: a newer ModelOpt may fill in defaults that an older one did not know.
        if resolved.resolved != new.resolved:
            self._add(Cause(PAIR_CONFIG_FACT.name, *names, lambda setup: setup.with_settings("pair", format=old)))

    def engine(self) -> None:
        """The engine, where the method leaves a choice."""
        old = self._stated(ENGINE_FACT)
        free = stated(self.baseline, "scheme", "auto_quantize_method") == "gradient"
        if old in ENGINES and old != self.now.engine and free:
            set_back = functools.partial(dataclasses.replace, engine=old)
            self._add(Cause(ENGINE_FACT.name, old, self.now.engine, set_back))

    def precision(self) -> None:
        """How replay multiplies, but for what follows from another dtype or device."""
        from auto_quantize_model.engine.machine.operands import choose_operands

        asked = self.now.case.autoquant.replay_precision
        if not self.now.engine == stated(self.baseline, *ENGINE_FACT.stated) == "replay":
            return
        dtype = str(stated(self.baseline, "engine", "dtype") or self.now.case.model.dtype)
        rounds = choose_operands(asked, dtype, self._older_device()) != "float32"
        old, new = stated(self.baseline, *PRECISION_FACT.stated) or "exact", "tensor_core" if rounds else "exact"
        if old != new:

            def set_back(setup: Setup) -> Setup:
                return setup.with_settings("autoquant", replay_precision=old)

            self._add(Cause(PRECISION_FACT.name, old, new, set_back))

    def _older_device(self) -> torch.device:
        """The baseline's kind of device, or the one that runs now where that one is not here."""
        from auto_quantize_model.precision.capability import find_device

        case = self.now.case
        try:
            return find_device(str(stated(self.baseline, *DEVICE_FACT.stated)), case.model.devices)
        except (InputError, CaseError, ValueError):
            return find_device(case.autoquant.device, case.model.devices)

    def device(self) -> None:
        """The kind of device, where the other one is here too."""
        from auto_quantize_model.precision.capability import find_device

        case = self.now.case
        old = self._stated(DEVICE_FACT)
        new = find_device(case.autoquant.device, case.model.devices).type
        if old is None or old == new:
            return
        try:
            find_device(old, case.model.devices)
        except (InputError, CaseError) as error:
            self.untested.append(UntestedCause(DEVICE_FACT.name, old, new, str(error)))
        else:
            self._add(Cause(DEVICE_FACT.name, old, new, lambda setup: setup.with_settings("autoquant", device=old)))

    def captions(self, sources: CaptionSources, scratch: Path) -> None:
        """The captions and how many of them count: two causes where the older text is at hand and long enough."""
        sha256, count = self._stated(CAPTIONS_FACT), self._stated(SAMPLES_FACT)
        if sha256 is None or count is None:
            return
        named = str(stated(self.baseline, "dataset", "captions"))
        search = CaptionSearch(self.now.case, Prefix(count, sha256), named, sources)
        counts = self._counts(count)
        captions = None
        if not search.same:
            older = search.older(scratch)
            if older is None:
                why = f"no text here begins with the {count} captions of the baseline; give it with --captions FILE"
                self.untested.append(UntestedCause(CAPTIONS_FACT.name, named, search.source.name, why))
            else:
                captions = Cause(
                    CAPTIONS_FACT.name, older.name, search.source.name, lambda setup: _reading(setup, older)
                )
                if counts is not None and min(older.count, search.longest.count) < max(count, search.samples):
                    self._add(_joined(captions, counts))
                    return
        if captions is not None:
            self._add(captions)
        if counts is not None and search.longest.count < count:
            why = f"{search.longest.name} has {search.longest.count} captions only"
            self.untested.append(UntestedCause(counts.name, counts.old, counts.new, why))
        elif counts is not None:
            self.now = _reading(self.now, search.longest)
            self._add(counts)

    def _counts(self, old: int) -> Cause | None:
        case = self.now.case
        new, new_size = case.dataset.samples(case.size), case.autoquant.score_size
        old_size = stated(self.baseline, "scheme", "auto_quantize_score_size") or new_size
        if (old, old_size) == (new, new_size):
            return None

        def set_back(setup: Setup) -> Setup:
            counted = setup.with_settings("dataset", size_to_max_samples={case.size: old}, max_calib_samples=None)
            return counted.with_settings("autoquant", score_size=old_size)

        return Cause(SAMPLES_FACT.name, _counted(old, old_size), _counted(new, new_size), set_back)

    def _add(self, cause: Cause) -> None:
        """Take a difference as testable if its older value is one that can be set here."""
        try:
            cause.set_back(self.now)
        except ValueError as error:
            self.untested.append(UntestedCause(cause.name, cause.old, cause.new, f"cannot be set here: {error}"))
        else:
            self.causes.append(cause)

    def _check_format(self, resolved: ResolvedFormat) -> None:
        from auto_quantize_model.precision.capability import check_format, find_device

        case = self.now.case
        try:
            check_format(resolved, find_device(case.autoquant.device, case.model.devices))
        except NotCoveredError:
            if self.now.engine == "replay":
                raise

    def _stated(self, fact: Fact) -> Any:
        value = stated(self.baseline, *fact.stated)
        if value is None:
            self.unstated.append(fact.name)
        return value


def _reading(setup: Setup, text: Text) -> Setup:
    """The setup with its captions out of one text, whatever the size."""
    files = tuple(file.resolve() for file in text.source.files)
    return setup.with_settings("dataset", captions_path=None, files=files)


def _joined(captions: Cause, counts: Cause) -> Cause:
    """Both as one cause: one of the texts is too short for the other's number of captions."""
    return Cause(
        f"{captions.name} and {counts.name}",
        f"{captions.old}: {counts.old}",
        f"{captions.new}: {counts.new}",
        lambda setup: counts.set_back(captions.set_back(setup)),
    )


def _counted(samples: int, score_size: int) -> str:
    return f"{samples} calibrated, score size {score_size}"


def _called(name: str, sha256: str) -> str:
    return f"{name} ({sha256[:8]})"
