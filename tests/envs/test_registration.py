"""Our ids in Gymnasium's registry, in processes of their own."""

import subprocess
import sys

import pytest


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gymnasium_finds_our_ids_by_module():
    out = run(
        "import gymnasium; e = gymnasium.make('amble.envs:amble/3DBall-v0'); print(e.reset(seed=0)[0].shape)"
    )
    assert out.strip() == "(8,)"


def test_make_vec_hands_out_the_batch():
    out = run(
        "import gymnasium, amble.envs\n"
        "e = gymnasium.make_vec('amble/3DBall-v0', num_envs=3, threads=1)\n"
        "print(type(e).__name__, e.metadata['autoreset_mode'].value, e.spec.id)"
    )
    assert out.split() == ["BallVectorEnv", "SameStep", "amble/3DBall-v0"]


def test_registering_twice_is_silent():
    run("from amble.envs import register_all; register_all(); register_all()")


@pytest.mark.parametrize("heavy", ["mujoco", "torch", "numba", "matplotlib", "envpool"])
def test_importing_the_room_is_light(heavy: str):
    out = run(f"import sys, amble.envs; print({heavy!r} in sys.modules)")
    assert out.strip() == "False"
