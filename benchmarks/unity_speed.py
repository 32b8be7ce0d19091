"""Decisions a second over Unity's wire, 10 Walkers: ML-Agents' Python package, our environment, `amble train`.

All three speak with the same `amble serve walker`, one after the other and again, so that a busy machine slows them
alike. ML-Agents' package runs in the virtual environment that `make test-unity-peers` makes.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import amble.envs
from amble.envs.serve import Order, write_program

AGENTS, ROUNDS = 10, int(os.environ.get("ROUNDS", "3"))
PEER = Path(".venv-mlagents/bin/python")
SECONDS = float(os.environ.get("SECONDS_EACH", "20"))
PORT = 5905

STOCK = """
import sys, time
import numpy as np
from mlagents_envs.environment import UnityEnvironment
env = UnityEnvironment(sys.argv[1], base_port=int(sys.argv[2]))
env.reset()
(name,) = env.behavior_specs
spec, count = env.behavior_specs[name].action_spec, 0
start = time.perf_counter()
while time.perf_counter() - start < float(sys.argv[3]):
    asking, _ = env.get_steps(name)
    env.set_actions(name, spec.random_action(len(asking)))
    env.step()
    count += len(asking)
print(count / (time.perf_counter() - start))
env.close()
"""

RUN = f"""
behaviors:
  Walker:
    hyperparameters: {{buffer_size: 2000, batch_size: 1000, num_epoch: 1}}
    network_settings: {{normalize: true, hidden_units: 256, num_layers: 3}}
    max_steps: 1e9
time_limit: {SECONDS}
"""


def stock(build: Path) -> float:
    environment = {**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}
    command = [str(PEER), "-W", "ignore", "-c", STOCK, str(build), str(PORT), str(SECONDS)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(done.stdout.split()[-1])


def ours(build: Path) -> float:
    env = amble.envs.make("amble/Unity-v0", 1, path=build, base_port=PORT)
    rng = np.random.default_rng(0)
    env.reset()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        env.step(rng.uniform(-1, 1, (AGENTS, 39)).astype(np.float32))
        count += AGENTS
    rate = count / (time.perf_counter() - start)
    env.close()
    return rate


def trained(build: Path, folder: Path) -> tuple[float, float]:
    """Of `amble train`: decisions a second while it collects, and of the whole iteration."""
    (folder / "run.yaml").write_text(RUN)
    command = [
        sys.executable,
        "-m",
        "amble.cli",
        "train",
        str(folder / "run.yaml"),
        "--env",
        str(build),
        "--force",
    ]
    command += ["--results-dir", str(folder), "--set", f"env_settings.base_port={PORT}", "--run-id", "timed"]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(line) for line in (folder / "timed" / "metrics.jsonl").read_text().splitlines()][1:]
    collect = statistics.median(row["collect_seconds"] for row in rows)
    return 2000 / collect, statistics.median(row["steps_per_second"] for row in rows)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build = write_program(Order("walker", agents=AGENTS), folder / "Walker")
        rates: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            if PEER.exists():
                rates.setdefault("mlagents_envs 0.28, random actions", []).append(stock(build))
            rates.setdefault("ours, random actions", []).append(ours(build))
            collecting, whole = trained(build, folder)
            rates.setdefault("amble train, collecting", []).append(collecting)
            rates.setdefault("amble train, with its updates", []).append(whole)
        first = statistics.median(next(iter(rates.values())))
        for what, values in rates.items():
            median = statistics.median(values)
            print(
                f"{what:<36} {median:8,.0f} decisions/s  ({', '.join(f'{v:,.0f}' for v in values)})  ×{median / first:.1f}"
            )


if __name__ == "__main__":
    main()
