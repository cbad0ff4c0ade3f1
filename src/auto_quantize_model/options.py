"""The options of a run, said once for both front doors: pytest puts `sensitivity-` before each name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from auto_quantize_model.cluster_address import parse_address, parse_gpus
from auto_quantize_model.device_names import DEVICE_NAMES, checked_device
from auto_quantize_model.engines import DEFAULT_ENGINE, ENGINES
from auto_quantize_model.errors import InputError
from auto_quantize_model.flags import PYTEST_PREFIX, both_flags
from auto_quantize_model.measuring import SCOPES, parse_scope

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclasses.dataclass(frozen=True, slots=True)
class Option:
    """One option, in terms that argparse and pytest share."""

    name: str
    help: str
    metavar: str | None = None
    takes: Literal["a value", "values", "nothing"] = "a value"
    choices: tuple[str, ...] | None = None
    default: str | None = None
    parse: Callable[[str], Any] = str
    """Turns the text into a value; a `ValueError` says what is wrong with it."""

    @property
    def flag(self) -> str:
        """As the command line has it."""
        return f"--{self.name}"

    @property
    def pytest_flag(self) -> str:
        """As pytest has it."""
        return f"{PYTEST_PREFIX}{self.name}"

    @property
    def both_flags(self) -> str:
        """For a message of a part that does not know which front door it was entered by."""
        return both_flags(self.name)

    def keywords(self) -> dict[str, Any]:
        """What `add_argument` and `addoption` take."""
        if self.takes == "nothing":
            return {"action": "store_true", "help": self.help}
        kind = {"default": self.default} if self.takes == "a value" else {"action": "append", "default": []}
        wanted = {"metavar": self.metavar, "choices": self.choices}
        return {**kind, **{key: value for key, value in wanted.items() if value is not None}, "help": self.help}

    def read(self, given: Any, flag: str) -> Any:
        """The value of what was typed; a mistake names the flag."""
        if given is None or self.takes == "nothing":
            return given
        try:
            return [self.parse(text) for text in given] if self.takes == "values" else self.parse(given)
        except ValueError as error:
            raise InputError(f"{flag}: {error}") from None


def _checked_override(text: str) -> str:
    from auto_quantize_model.cases.overrides import parse_override

    parse_override(text)
    return text


def _size(text: str) -> int:
    from auto_quantize_model.byte_sizes import parse_bytes

    return parse_bytes(text)


def _named_path(text: str) -> tuple[str, Path]:
    from auto_quantize_model.checkpoints.locate import named_path

    return named_path(text)


DEVICE = Option(
    "device",
    "Device to run on (default: autoquant.device, which is auto)",
    metavar=f"{{{','.join(DEVICE_NAMES)}}}",
    parse=checked_device,
)
ENGINE = Option(
    "engine",
    f"{'; '.join(f'{name}: {engine.what}' for name, engine in ENGINES.items())} (default: %(default)s)",
    choices=tuple(ENGINES),
    default=DEFAULT_ENGINE,
)
MODEL_PATH = Option(
    "model-path",
    "Checkpoint of a model: a folder, or a GGUF file; repeatable",
    metavar="NAME=DIR",
    takes="values",
    parse=_named_path,
)
MODELS_ROOT = Option(
    "models-root",
    "Models tree: each model's model.yaml and baselines (default: models/ beside the suite or its folder)",
    metavar="DIR",
    parse=Path,
)
OVERRIDE = Option(
    "override",
    "Set a configuration value for every case, for example autoquant.batch_size=4; repeatable",
    metavar="KEY=VALUE",
    takes="values",
    parse=_checked_override,
)
MODELOPT_RECIPE = Option(
    "modelopt-recipe",
    "Take the pairs, the budget and the rules of one of ModelOpt's own auto_quantize recipes, by its name there or by "
    "its file, instead of the suite's pairs; ModelOpt's choice for the budget is shown beside the best",
    metavar="NAME",
)
OUTPUT = Option(
    "output",
    "Folder for the artifacts of this run (default: tmp/sensitivity/<time>)",
    metavar="DIR",
    parse=Path,
)
JSON = Option("json", "Write a summary for machines: one record a case, and the totals", metavar="FILE", parse=Path)
HTML = Option(
    "html",
    "Write a page to look into the session: its cases beside their baselines, in one file that asks no network",
    metavar="FILE",
    parse=Path,
)
VERBOSE = Option(
    "verbose",
    "Show scores, ratios to the baseline and times of every case at the end, instead of what each pair costs",
    takes="nothing",
)
KEEP_CAPTURE = Option(
    "keep-capture",
    "Keep what the pass captures, and use what is kept: a further pair then costs a replay only",
    takes="nothing",
)
FRESH = Option(
    "fresh",
    "Begin anew: do not go on from what an interrupted run of the same cases left",
    takes="nothing",
)
CAPTURE_DIR = Option(
    "capture-dir", "Folder for captures on disk (default: one in the user's cache)", metavar="DIR", parse=Path
)
CAPTURE_MEMORY = Option(
    "capture-memory",
    "How much of the captured tensors stays in memory, for example 20GB; the rest goes to disk "
    "(default: what is free decides)",
    metavar="SIZE",
    parse=_size,
)
MEASURE = Option(
    "measure",
    "Really quantize, and measure the KL divergence: of each case as a whole (cases), of its N most sensitive groups "
    "as well, each alone (top:N), or of every group (all) (default: %(default)s)",
    metavar=f"{{{SCOPES.replace('|', ',')}}}",
    default="none",
    parse=parse_scope,
)
MEASURE_ON = Option(
    "measure-on",
    "Measure on the captions of this file (default: the captions that are scored)",
    metavar="FILE",
    parse=Path,
)
CLUSTER = Option(
    "cluster",
    "Run on the hosts of a Ray cluster, of which this host is one: auto, or the HOST:PORT of its head",
    metavar="ADDRESS",
    parse=parse_address,
)
CLUSTER_GPUS = Option(
    "cluster-gpus",
    "How many GPUs of its host each worker of the cluster takes, for a model that is larger than one "
    "(default: %(default)s)",
    metavar="N",
    default="1",
    parse=parse_gpus,
)
PUBLISH = Option(
    "publish",
    "Write each case's artifacts over its baseline; a case that drifted then passes and says what changed",
    takes="nothing",
)
REPORT_ONLY = Option(
    "report-only",
    "Run no engine: regenerate every selected case's reports from its manifest (with --publish: in place)",
    takes="nothing",
)

IN_PYTEST = (
    REPORT_ONLY,
    DEVICE,
    ENGINE,
    MODEL_PATH,
    MODELS_ROOT,
    OVERRIDE,
    OUTPUT,
    JSON,
    HTML,
    VERBOSE,
    KEEP_CAPTURE,
    FRESH,
    CAPTURE_DIR,
    CAPTURE_MEMORY,
    MEASURE,
    MEASURE_ON,
    CLUSTER,
    CLUSTER_GPUS,
)
"""What the plugin adds, beside `publish`, whose short name another plugin may own."""


def nothing_to_keep(engine: str, flag: str) -> str:
    """What to say where captures are to be kept and the engine makes none."""
    return f"{flag}: the engine {engine} captures nothing; leave one out"
