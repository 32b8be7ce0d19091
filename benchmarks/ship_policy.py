"""Make a run's policy the one that comes with a preset: `python benchmarks/ship_policy.py RUN_DIR PRESET`."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import amble
from amble.config import list_presets
from amble.training.policy_files import read_policy

POLICIES = Path(amble.__file__).parent / "policies"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("preset", choices=[preset.name for preset in list_presets()])
    words = parser.parse_args()
    read_policy(words.run / "policy")  # refuses a damaged one
    folder = POLICIES / words.preset
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copytree(words.run / "policy", folder / "policy")
    for name in ("run.yaml", "summary.json"):
        shutil.copy(words.run / name, folder / name)
    summary = json.loads((folder / "summary.json").read_text())
    print(f"{folder}: return {summary['return_mean']:.5g} in training, {summary['env_steps']:,} steps")


if __name__ == "__main__":
    main()
