"""Make a run's policy the one that comes with a preset: `python benchmarks/ship_policy.py RUN_DIR PRESET`.

It is played in the preset's own environment, wherever it was trained; its run.yaml keeps where that was.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import amble
from amble.config import list_presets, load_run, to_yaml
from amble.training.policy_files import read_policy, write_policy

POLICIES = Path(amble.__file__).parent / "policies"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("preset", choices=[preset.name for preset in list_presets()])
    words = parser.parse_args()
    tensors, spec = read_policy(words.run / "policy")  # refuses a damaged one
    folder = POLICIES / words.preset
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    kwargs = load_run(words.preset).env_settings.env_kwargs
    write_policy(folder / "policy", tensors, {**spec, "env_kwargs": kwargs})
    config = load_run(words.run / "run.yaml")
    place = config.checkpoint_settings.model_copy(update={"results_dir": "results", "run_id": words.preset})
    config = config.model_copy(update={"checkpoint_settings": place})
    (folder / "run.yaml").write_text(to_yaml(config), encoding="utf-8")
    shutil.copy(words.run / "summary.json", folder / "summary.json")
    summary = json.loads((folder / "summary.json").read_text())
    print(f"{folder}: return {summary['return_mean']:.5g} in training, {summary['env_steps']:,} steps")


if __name__ == "__main__":
    main()
