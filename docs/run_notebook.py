"""Runs `docs/rows.ipynb` and keeps what it prints and draws, without Jupyter: `pip install --group notebook` is enough.

A cell is plain Python. What it prints is its text, and the figures that it leaves open are its pictures.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).resolve().with_name("rows.ipynb")


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """The same notebook with the outputs of a fresh run, in the notebook's own folder."""
    import matplotlib as mpl

    mpl.use("Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    cells, number = [], 0
    with contextlib.chdir(NOTEBOOK.parent):
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code":
                cells.append(cell)
                continue
            number += 1
            outputs = _outputs("".join(cell["source"]), names, number)
            cells.append({**cell, "execution_count": number, "outputs": outputs})
    return {**notebook, "cells": cells}


def _outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    from matplotlib import pyplot as plt

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, f"{NOTEBOOK.name}[{number}]", "exec"), names)  # noqa: S102  the notebook's own code
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        text = printed.getvalue().splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": text})
    for figure in plt.get_fignums():
        drawn = io.BytesIO()
        plt.figure(figure).savefig(drawn, format="png", dpi=80, metadata={"Software": None})
        image = base64.b64encode(drawn.getvalue()).decode()
        outputs.append({"data": {"image/png": image}, "metadata": {}, "output_type": "display_data"})
    plt.close("all")
    return outputs


def texts(notebook: dict[str, Any]) -> list[str]:
    """What each cell of code printed; how a figure comes out depends on fonts and versions."""
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return ["".join(line for each in cell["outputs"] for line in each.get("text", [])) for cell in code]


def pictures(notebook: dict[str, Any]) -> int:
    """How many figures the notebook shows."""
    return sum("image/png" in each.get("data", {}) for cell in notebook["cells"] for each in cell.get("outputs", []))


def read() -> dict[str, Any]:
    """The notebook as it is committed."""
    notebook: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return notebook


def main() -> None:
    """Run the notebook and write it."""
    os.environ.setdefault("MPLBACKEND", "Agg")
    text = json.dumps(run(read()), indent=1, ensure_ascii=False, sort_keys=True)
    NOTEBOOK.write_text(f"{text}\n", encoding="utf-8")
    sys.stdout.write(f"wrote {NOTEBOOK.name}\n")


if __name__ == "__main__":
    main()
