"""`make reproduce`: train again what the given reference directories hold, and report what differs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from regbench import records
from regbench.cli import compared

ROOT = Path(__file__).resolve().parent.parent
METRICS = [name for name, kind in records.RUNS.items() if kind == "number" and name != "seconds"]


def reproduce(reference: Path) -> bool:
    """Train a reference sweep anew; print what differs; return whether every verdict came out the same."""
    new = ROOT / "results/reproduced" / reference.name
    config = reference / "config.yaml"
    subprocess.run(
        [sys.executable, "-m", "regbench", "sweep", str(config), "--out", str(new)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    then, now = (records.read(d).runs.set_index("run").sort_index() for d in (reference, new))
    old, again = then.loc[:, METRICS].to_numpy(float), now.loc[then.index, METRICS].to_numpy(float)
    same = (old == again) | (np.isnan(old) & np.isnan(again))
    print(f"{reference.name}: {len(then)} runs, {same.all(1).sum()} of them to the last digit")
    for name, a, b in zip(METRICS, old.T, again.T, strict=True):
        if not np.array_equal(a, b, equal_nan=True):
            print(f"  {name}: differs by up to {np.nanmax(np.abs(a - b)):.3g}")
    verdicts = [
        {cell.label: cell.effect.verdict for cell in compared(d).cells if cell.effect} for d in (reference, new)
    ]
    changed = [label for label, verdict in verdicts[0].items() if verdicts[1].get(label) != verdict]
    for label in changed:
        print(f"  {label}: was {verdicts[0][label]}, now {verdicts[1].get(label)}")
    print(f"  verdicts: {'all the same' if not changed else f'{len(changed)} changed'}")
    return not changed


if __name__ == "__main__":
    same = [reproduce(Path(name).resolve()) for name in sys.argv[1:]]
    sys.exit(0 if all(same) else 3)
