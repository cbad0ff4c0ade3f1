"""The Slurm script, tried without Slurm: `srun` and `scontrol` stand-ins start their tasks on network namespaces.

Prints whether the manifests are those of one process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.cluster.__main__ import ENVIRONMENT, ROOT, alone, digest_of, end_when_terminated
from benchmarks.cluster.hosts import RAY, hosts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cluster.hosts import Host

SCRIPT = ROOT / "docs" / "slurm" / "sensitivity.sbatch"


def stand_ins(folder: Path, all_hosts: Sequence[Host]) -> None:
    """The commands of Slurm that the script uses, and `hostname`, which knows nothing of namespaces."""
    cases = "\n".join(
        f"  --nodelist=host{host.number}) shift; export HOST_ADDRESS={host.address}; "
        f'exec {" ".join(host.command([]))} "$@";;'
        for host in all_hosts
    )
    names = " ".join(f"host{host.number}" for host in all_hosts)
    texts = {
        "srun": f'while :; do case "$1" in\n{cases}\n  --*) shift;;\n  *) exit 2;;\nesac; done',
        "scontrol": f"printf '%s\\n' {names}",
        "hostname": 'echo "$HOST_ADDRESS"',
        "ray": f'exec {" ".join(RAY)} "$@"',
    }
    for name, text in texts.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)


def main() -> None:
    """Run the script on two hosts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", dest="expression", default="tiny and small", help="Cases (default: %(default)s)")
    expression = parser.parse_args().expression
    end_when_terminated()
    with tempfile.TemporaryDirectory() as scratch, hosts([1, 1], ENVIRONMENT, ray=False) as all_hosts:
        folders = [Path(scratch, name) for name in ("bin", "alone", "cluster")]
        for folder in folders:
            folder.mkdir()
        stand_ins(folders[0], all_hosts)
        reference = alone(expression, folders[1])
        front = [sys.executable, "-m", "benchmarks.cluster.front", expression, str(folders[2]), "--cluster", "auto"]
        environment = {
            **ENVIRONMENT,
            "PATH": f"{folders[0]}{os.pathsep}{ENVIRONMENT['PATH']}",
            "SLURM_JOB_NODELIST": "host[0-1]",
            "PYTHONPATH": os.pathsep.join([str(ROOT), ENVIRONMENT.get("PYTHONPATH", "")]),
        }
        command = all_hosts[0].command(["env", "-C", scratch, str(SCRIPT), *front])
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603
        left = [host.processes() for host in all_hosts]
        digest, cases = digest_of(folders[2])
    if done.returncode != 0 or digest != reference.digest or any(left):
        sys.exit(f"status {done.returncode}, {cases} manifests, processes left: {left}\n{done.stdout}{done.stderr}")
    sys.stdout.write(f"{cases} manifests, the same bytes as those of one process; no process is left on any host\n")


if __name__ == "__main__":
    main()
