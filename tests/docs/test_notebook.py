"""The notebook shows what its cells give: they are run here, as plain Python."""

from __future__ import annotations

import pytest

from docs import run_notebook


@pytest.fixture(scope="module", autouse=True)
def _needs_its_libraries() -> None:
    for name in ("matplotlib", "pandas", "polars"):
        pytest.importorskip(name, reason=f"docs/rows.ipynb needs {name}: pip install --group notebook")


# A warning of theirs, in whatever version is installed, says nothing about the notebook.
@pytest.mark.filterwarnings("default")
def test_the_notebook_shows_what_its_cells_give() -> None:
    committed = run_notebook.read()
    fresh = run_notebook.run(committed)
    assert run_notebook.texts(fresh) == run_notebook.texts(committed), "run: python docs/run_notebook.py"
    assert run_notebook.pictures(fresh) == run_notebook.pictures(committed) == 2
    numbers = [cell["execution_count"] for cell in committed["cells"] if cell["cell_type"] == "code"]
    assert numbers == list(range(1, len(numbers) + 1))
