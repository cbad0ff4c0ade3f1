"""The configuration that a suite sees: its own `conf/`, laid over the built-in one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auto_quantize_model.cases.builtin import builtin_folder
from auto_quantize_model.cases.loading import available, read_mapping
from auto_quantize_model.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECTIONS = ("autoquant", "dataset", "quant_pair", "recipe", "runtime")


@dataclasses.dataclass(frozen=True, slots=True)
class LayeredFile:
    """What the files of one name say together."""

    path: Path
    """The file that errors name: the suite's own, where there is one."""
    values: Mapping[str, Any]
    origins: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    """For a key that may come from either, the folder that states it: the suite's or the built-in one."""


class Layers:
    """Finds configuration by section and name, in the suite's folder and in the built-in one."""

    def __init__(self, own: Path) -> None:
        """`own` is the folder of `suite.yaml`."""
        self.own = own
        self.builtin = builtin_folder()
        for section in _SECTIONS:
            for file in sorted((self.own / "conf" / section).glob("*.yml")):
                raise InputError(f"{file}: only files that end in .yaml are read; rename it to {file.stem}.yaml")

    def names(self, section: str) -> list[str]:
        """Every name that a section offers: the built-in ones, then those that the suite adds."""
        builtin, own = (available(folder / "conf" / section) for folder in (self.builtin, self.own))
        return [*builtin, *(name for name in own if name not in builtin)]

    def is_own(self, section: str, name: str) -> bool:
        """Whether the suite itself has a file for a name, and not only the built-in folder."""
        file = Path("conf", section, f"{name}.yaml")
        return self.own.resolve() != self.builtin.resolve() and (self.own / file).is_file()

    def read(self, section: str, name: str, named_in: Path) -> LayeredFile:
        """Read what a name means; a key of the suite's own file replaces the built-in key as a whole.

        `named_in` is the file that an unknown name is an error of.
        """
        relative = Path("conf", section, f"{name}.yaml")
        folders = [folder for folder in (self.builtin, self.own) if (folder / relative).is_file()]
        if not folders:
            raise InputError(
                f"{named_in}: {section} '{name}' is unknown: no file {self.own / relative}, and none is built in; "
                f"{nearest(name, self.names(section))}"
            )
        if len(folders) > 1 and (self.own / relative).samefile(self.builtin / relative):
            folders = [self.own]
        values: dict[str, Any] = {}
        origins: dict[str, Path] = {}
        for folder in folders:
            layer = read_mapping(folder / relative)
            values |= layer
            origins |= dict.fromkeys(layer, folder)
        return LayeredFile(folders[-1] / relative, values, origins)
