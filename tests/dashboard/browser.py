"""A page in a real browser: Chromium from the system's packages, without a driver of its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next((found for name in NAMES if (found := shutil.which(name))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=f"no browser here: none of {', '.join(NAMES)}")

_WATCH = """
<script>
window.problems = [];
addEventListener("error", (event) => problems.push(String(event.message)));
addEventListener("securitypolicyviolation", (event) => problems.push(`refused: ${event.blockedURI}`));
for (const name of ["error", "warn"]) console[name] = (...words) => problems.push(words.join(" "));
window.alert = () => problems.push("alert");
</script>
"""
_ASK = """
<script>
addEventListener("load", async () => {
  const told = await (async () => { %s })().catch((error) => ({ failed: String(error) }));
  const names = performance.getEntriesByType("resource").map((each) => each.name);
  const asked = names.filter((name) => !name.startsWith("data:"));
  const answer = document.createElement("pre");
  answer.id = "answer";
  answer.textContent = encodeURIComponent(JSON.stringify({ told, problems, asked, ready: performance.now() }));
  document.body.append(answer);
});
</script>
"""


def ask(page: str, script: str, folder: Path, *, width: int = 1280, seconds: int = 60) -> dict[str, Any]:
    """Open a page and run a script in it: what it returns, what went wrong, and what the page asked the network for."""
    file = folder / "page.html"
    file.write_text(page.replace("<head>", f"<head>{_WATCH}", 1).replace("</body>", f"{_ASK % script}</body>"), "utf-8")
    assert CHROMIUM is not None
    # A fresh profile: a browser of the user's that runs already would take the page over.
    flags = (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=20000",
        f"--user-data-dir={folder}/profile",
    )
    command = [CHROMIUM, *flags, f"--window-size={width},900", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)  # noqa: S603
    found = re.search(r'<pre id="answer">([^<]*)</pre>', done.stdout)
    assert found is not None, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(unquote(found[1]))
    return answer
