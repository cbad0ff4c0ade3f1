"""Every command of README, docs and cards works: it is run here, or by CI, or listed with the reason why not.

A command is run in a small repository of its own (`stage.py`). CI's are those of `.ci/run`, and of the sessions of nox
that it calls.
"""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from tests.docs import stage
from tests.docs.pages import PAGES, commands, name
from tests.docs.sessions import commands_of, sessions
from tests.places import ROOT, SUITE

from auto_quantize_model import load_suite
from auto_quantize_model.cli import build_parser, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.docs.pages import Words

CI = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
PYTHON = ("python", "python3")
OUR_PROGRAM = ("-m", "auto_quantize_model")

RUN_BY_A_TEST = {
    "pytest": "tests/packaging/test_stranger.py::test_the_readmes_suite_publishes_and_compares",
    "pytest --publish": "tests/packaging/test_stranger.py::test_the_readmes_suite_publishes_and_compares",
    "python -m auto_quantize_model explain qwen3_vl_tiny-wfp8_afp8-small": "tests/cli/test_explain.py"
    "::test_the_committed_baseline_is_explained_by_default",
    "python -m auto_quantize_model run --modelopt-recipe general/auto_quantize/nvfp4_fp8_at_5p4bits "
    "-k tiny and small": "tests/recipes/test_modelopt_recipes.py::test_run_shows_both_choices_and_writes_them",
    "python -m auto_quantize_model compare --last-publish": "tests/cli/test_compare.py"
    "::test_what_the_last_publish_changed",
    "nox -s kills": "tests/faults/test_kills.py::test_the_next_run_succeeds_and_leaves_nothing_half_done",
    "nox -s fuzz": "tests/test_fuzz.py::test_every_input_is_taken_or_refused_in_one_line",
    "python docs/generate.py": "tests/docs/test_pages.py::test_a_generated_page_is_up_to_date",
    "python models/qwen3_vl_tiny/captions generate": "tests/captions/test_embedded_command.py"
    "::test_generate_reproduces_the_committed_files",
    "python models/qwen3_vl_tiny/captions compare A B": "tests/captions/test_embedded_command.py::test_compare",
}
"""Commands that need another place than the stage, and the test that runs them."""

NOT_RUN = {
    r"pip install .*": "brings packages from the network; what it names is checked against the noxfile",
    r"python -m auto_quantize_model compare OLDER_FOLDER .*": "compares two places that only the reader has",
    r"hf download .*": "downloads 9 GB",
    r"python -m auto_quantize_model init .*": "names a checkpoint of the reader's",
    r"(export|\.) .*": "sets the reader's shell up",
    r"pre-commit install": "writes into the reader's .git",
    r"git status": "only looks",
    r"ruff format \.": "rewrites files; CI runs it with --check",
    r"coverage .*|nox -s minimums": "runs every test once more",
    r"python benchmarks/gpu_check( --(?!rehearse).*)?": "needs a GPU; CI rehearses it",
    r"python -m benchmarks\.(growth|matrix).*": "takes minutes",
    r"python -m benchmarks\.(measured_kl|one_call|open_groups|presets|ties).*": "takes minutes",
    r"ray (start|stop).*": "`nox -s cluster` starts clusters, and the Slurm script does",
    r"sbatch .*": "needs Slurm; `python -m benchmarks.cluster.slurm` runs the script without",
    r"python -m benchmarks\.cluster.*|nox -s cluster.*": "needs root and Ray, and takes minutes",
    r"nox -s served.*": "sets up a runtime of its own, of gigabytes, and takes minutes",
    r"python benchmarks/\w+\.py.*": "takes minutes",
    r"python -m benchmarks\.recipe(s|_speed).*": "takes minutes",
    r"nox -s mutants.*": "takes hours; what it runs for each change: tests/benchmarks/test_mutants.py",
    r"nox -s truth.*|python -m benchmarks\.truth.*": "takes minutes",
    r"python models/qwen3_vl_tiny/train\.py": "takes 15 minutes",
    r"pytest .* -n 4 --dist loadgroup": "four processes would each import ModelOpt; test_distribution.py starts some",
}
"""Commands that neither a test nor CI runs, and why. What their program can parse without working, is parsed."""


NOT_TYPED = ("--quiet", "--no-venv", "--no-install")
"""CI has installed everything already, and reads no progress."""


def as_typed(words: Words) -> Words:
    """A command's words, as one would type them with the environment active."""
    short = {"--session": "-s"}
    return tuple(short.get(word, word.removeprefix(".venv/bin/")) for word in words if word not in NOT_TYPED)


COMMANDS = {as_typed(words): name(page) for page in PAGES for words in commands(page)}
IN_CI = [
    as_typed(tuple(shlex.split(line)))
    for line in CI.splitlines()
    if line.startswith(("pip ", "pytest ", "python", "nox "))
]
IN_SESSIONS_OF_CI = [words for session in ("lint", "tests") for words in commands_of(session)]
DEFAULT_SESSIONS = ("nox", "-s", "lint", "tests")


def test_the_pages_have_commands() -> None:
    assert {"README.md", "docs/suite.md", "docs/own-models.md", "docs/measured.md"} <= set(COMMANDS.values())
    assert ("pytest", "-m", "not gpu", "sensitivity_cases") in COMMANDS


@pytest.mark.parametrize("command", COMMANDS, ids=shlex.join)
def test_a_command_works(command: Words, request: pytest.FixtureRequest) -> None:
    test = RUN_BY_A_TEST.get(" ".join(command))
    if test is not None:
        assert is_a_test(test)
        if command[0] in PYTHON:
            parse(command, request)
        return
    for words in what_runs(command):
        if not runs_in_ci(words):
            check(words, request)


def what_runs(words: Words) -> Iterator[Words]:
    """The command itself, or what the session of nox that it names runs."""
    words = DEFAULT_SESSIONS if words == ("nox",) else words
    if words[:2] != ("nox", "-s") or why_not_run(words) is not None:
        yield words
        return
    if runs_in_ci(words):
        return
    names, _, posargs = (list(part) for part in partition(words[2:], "--"))
    for session in names:
        yield from commands_of(session, tuple(posargs))


def why_not_run(words: Words) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.fullmatch(pattern, " ".join(words))), None)


def partition(words: Words, at: str) -> tuple[Words, Words, Words]:
    place = words.index(at) if at in words else len(words)
    return words[:place], words[place : place + 1], words[place + 1 :]


def runs_in_ci(words: Words) -> bool:
    """Whether CI runs this, or more of the same: other packages besides, other sessions besides."""
    if words[:2] in (("pip", "install"), ("nox", "-s")):
        return any(mine[:2] == words[:2] and set(words) <= set(mine) for mine in IN_CI)
    if words in IN_CI or words in IN_SESSIONS_OF_CI:
        return True
    if words[0] == "pytest":
        # `nox -s tests` runs all that is below tests/.
        return len(words) > 1 and all(word.startswith("tests/") and (ROOT / word).exists() for word in words[1:])
    return False


def check(words: Words, request: pytest.FixtureRequest) -> None:
    """Run a command, or parse it where there is a reason not to run it."""
    text = " ".join(words)
    if why_not_run(words) is not None:
        parse(words, request)
    elif words[0] == "pytest":
        if options_in(words) in WORKED:
            parse(words, request)
        else:
            assert run_pytest(words[1:], request) == pytest.ExitCode.OK
            WORKED.add(options_in(words))
    elif words[0] in PYTHON and words[1:3] == OUR_PROGRAM:
        if options_in(words) in WORKED:
            parse(words, request)
        else:
            assert run_ours(words[3:], request) == 0
            WORKED.add(options_in(words))
    elif words == ("nox", "-l"):
        assert sessions()
    else:
        pytest.fail(f"neither CI nor a test runs it: {text}\nlet one do so, or say in NOT_RUN why not")


def options_in(words: Words) -> Words:
    """A command without what it selects."""
    return tuple(word for before, word in itertools.pairwise(("", *words)) if before != "-k")


WORKED = {options_in(words) for words in IN_CI}
"""What CI or a test here has run: the same for other cases only has to select some."""


def parse(words: Words, request: pytest.FixtureRequest) -> None:
    """Check what can be checked of a command that is not run."""
    if words[0] == "pytest":
        assert run_pytest((*words[1:], "--collect-only", "-q"), request) == pytest.ExitCode.OK
    if words[:2] == ("pip", "install"):
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
        wanted = [word for word in words[2:] if not word.startswith("-") and word != "." and word not in groups]
        noxfile = (ROOT / "noxfile.py").read_text(encoding="utf-8")
        assert all(f'"{package}' in noxfile for package in wanted)
    if words[0] in PYTHON and words[1:3] == OUR_PROGRAM:
        expression = getattr(build_parser().parse_args(words[3:]), "expression", "")
        assert load_suite(SUITE).select(expression)
    elif words[0] in PYTHON:
        check_script(words[1:])


def check_script(words: Words) -> None:
    """A script of the repository exists and has the options; it is only read, for most would import torch."""
    place = ROOT.joinpath(*words[1].split(".")) if words[0] == "-m" else ROOT / words[0]
    place = place if place.exists() else place.with_suffix(".py")
    files = sorted(place.glob("*.py")) if place.is_dir() else [place]
    wanted = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
    assert wanted <= {option for file in files for option in options_of(file)}


def options_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument":
            yield from (str(word.value) for word in node.args if isinstance(word, ast.Constant))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("stage")
    stage.build(root)
    stage.make_git_repository(root)
    return root


@pytest.fixture
def place(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stage, with the engine's stand-in, to work in: no command that works changes its baselines."""
    monkeypatch.chdir(built)
    monkeypatch.setenv("SENSITIVITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "auto_quantize_model.run", stage.engine())
    return built


def run_pytest(words: Words, request: pytest.FixtureRequest) -> int:
    request.getfixturevalue("as_at_home")
    pytester: pytest.Pytester = request.getfixturevalue("pytester")
    here: Path = request.getfixturevalue("place")
    return int(pytester.runpytest_inprocess(*on_the_stage(words, here)).ret)


def run_ours(words: Words, request: pytest.FixtureRequest) -> int:
    here: Path = request.getfixturevalue("place")
    try:
        return main(on_the_stage(words, here))
    except SystemExit as end:  # as `--version` ends
        return int(end.code or 0)


def on_the_stage(words: Words, here: Path) -> list[str]:
    """The words, with what stands for a place of the reader's own in place."""
    places = {"/shared/captures": str(here / "captures")}
    return [places.get(word, word) for word in words]


def is_a_test(node: str) -> bool:
    file, _, function = node.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return function in {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)}


def test_every_exception_is_still_needed() -> None:
    ran = [" ".join(words) for command in COMMANDS for words in what_runs(command)]
    assert set(RUN_BY_A_TEST) <= {" ".join(command) for command in COMMANDS}
    assert not [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, text) for text in ran)]


@pytest.mark.parametrize(
    "command",
    [
        "pytest -m gpu sensitivity_cases --sensitivity-publsh",
        "pytest -m gpu sensitivity_cases -k nothing_of_this_name",
        "pytest -n 4 --dist loadgroups sensitivity_cases -n 4 --dist loadgroup --sensitivity-devise",
        "python -m auto_quantize_model runs",
        "python -m auto_quantize_model report no_such_manifest.json",
        "python -m benchmarks.matrix --modell random_25m",
        "nox -s sensitivities",
        "pip install a-package-that-no-session-installs",
        "make all",
    ],
)
def test_a_command_that_does_not_work_is_seen(command: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises((AssertionError, KeyError, SystemExit, pytest.fail.Exception)):
        test_a_command_works(as_typed(tuple(shlex.split(command))), request)


def test_the_commands_left_the_baselines_as_they_were(built: Path) -> None:
    assert not stage.changes(built)


def test_the_readmes_library_example_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("```python\n")[2].partition("```")[0]
    exec(compile(text, "README.md", "exec"), {})  # noqa: S102  what a reader would do
    printed = capsys.readouterr().out
    assert printed.count("qwen3_vl_tiny-wint8_aint8-") == len(stage.SIZES)
    assert "importance" in printed
