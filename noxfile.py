# /// script
# dependencies = ["nox>=2025.5"]
# ///

"""Sessions that set up their own environments. `nox -l` lists them; what follows `--` goes to the tool they run."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "tests"]
# Not uv, even where it is installed: it resolves torch without pip's own package sources.
nox.options.default_venv_backend = "virtualenv"

PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install the project in place with some of its dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests."""
    install(session, "tests")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and types."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", *session.posargs)


@nox.session(default=False)
def sensitivity(session: nox.Session) -> None:
    """Run the cases of the embedded model and print their table."""
    install(session)
    session.run("python", "-m", "auto_quantize_model", "run", "-k", "tiny", *session.posargs)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time the whole matrix against ModelOpt's case-by-case loop (some minutes; `-- --help` lists the models)."""
    install(session)
    session.run("python", "tests/benchmarks/matrix.py", *session.posargs)


@nox.session(default=False)
def train_tiny(session: nox.Session) -> None:
    """Train the embedded model again and rewrite its model card (under 15 minutes on two cores)."""
    install(session)
    session.run("python", "models/qwen3_vl_tiny/train.py", *session.posargs)
