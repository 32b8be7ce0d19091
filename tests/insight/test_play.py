"""Films of policies: a body of ours, an environment of Gymnasium's, and those that cannot be drawn."""

import ctypes.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from amble.config import run_from_env, shipped_policy
from amble.envs.bodies.rendering import RenderingUnavailable, choose_gl
from amble.errors import AmbleError, UsageError
from amble.insight.play import play
from amble.training.run import train

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

# imageio-ffmpeg leaves the pipe of its reader to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def run_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a run of one iteration."""
    results = tmp_path_factory.mktemp("results")

    def made(env_id: str) -> Path:
        name = env_id.replace("/", "-").replace(":", "-")
        if not (results / name).exists():
            settings = {
                "hyperparameters.buffer_size": 16,
                "hyperparameters.batch_size": 8,
                "hyperparameters.num_epoch": 1,
                "env_settings.num_envs": 4,
                "env_settings.backend": "array" if env_id.startswith("amble/") else "inprocess",
                "max_steps": 16,
                "checkpoint_settings.results_dir": results,
                "checkpoint_settings.run_id": name,
            }
            train(run_from_env(env_id, "ppo", [f"{key}={value}" for key, value in settings.items()]))
        return results / name

    return made


def played(run: Path, **settings: Any) -> tuple[Path, dict[str, Any], list[bytes]]:
    """The film's path, its properties and its frames."""
    try:
        path = play(run, **settings)
    except RenderingUnavailable as missing:
        pytest.skip(str(missing))
    reader = imageio_ffmpeg.read_frames(str(path))
    try:
        return path, next(reader), [bytes(frame) for frame in reader]
    finally:
        reader.close()


@pytest.mark.parametrize("env_id", ["amble/3DBall-v0", "amble/Walker-v0"])
def test_our_bodies(run_of: Callable[[str], Path], env_id: str) -> None:
    run = run_of(env_id)
    fps = gymnasium.make(env_id).metadata["render_fps"]
    path, film, frames = played(run, seed=0, seconds=0.2)
    assert path == run / "video.mp4"
    assert film["codec"] == "h264"
    assert film["fps"] == pytest.approx(fps, abs=0.01)
    assert len(frames) == round(0.2 * fps)
    picture = np.frombuffer(frames[0], np.uint8)
    assert picture.std() > 10  # something is to be seen
    assert frames[0] != frames[-1]  # and it moves


def test_another_environment_and_another_file(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    pytest.importorskip("pygame")
    path, _, frames = played(run_of("CartPole-v1"), video=tmp_path / "film.mp4", seed=0, episodes=2)
    assert path == tmp_path / "film.mp4"
    assert 16 <= len(frames) <= 1000  # two whole episodes of an untrained policy


def test_gymnasiums_mujoco_tasks_without_a_display(
    run_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """… and our own bodies still find their way afterwards."""
    pytest.importorskip("imageio")
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    try:
        choose_gl()
    except RenderingUnavailable as missing:
        pytest.skip(str(missing))
    _, _, frames = played(run_of("InvertedPendulum-v5"), video=tmp_path / "a.mp4", seconds=0.2)
    assert np.frombuffer(frames[0], np.uint8).std() > 10
    assert "MUJOCO_GL" not in os.environ
    _, _, frames = played(run_of("amble/3DBall-v0"), video=tmp_path / "b.mp4", seconds=0.1)
    assert np.frombuffer(frames[0], np.uint8).std() > 10


def test_the_seed_decides_the_first_episode(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    films = [
        played(run_of("amble/3DBall-v0"), video=tmp_path / f"{k}.mp4", seed=seed, seconds=0.04)[2]
        for k, seed in enumerate([1, 1, 2])
    ]
    assert films[0] == films[1] != films[2]


def test_without_opengl(
    run_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("amble/3DBall-v0")
    for name in ("MUJOCO_GL", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    with pytest.raises(RenderingUnavailable, match="neither libEGL nor libOSMesa was found"):
        play(run, video=tmp_path / "x.mp4", seconds=0.1)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_draws_nothing(run_of: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"probes:ValueOnly-v0 .*rgb_array"):
        play(run_of("probes:ValueOnly-v0"), video=tmp_path / "x.mp4", seconds=0.1)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(
    run_of: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise gymnasium.error.DependencyNotInstalled("pygame is not installed")

    run = run_of("CartPole-v1")
    monkeypatch.setattr("gymnasium.envs.classic_control.cartpole.CartPoleEnv.render", refuse)
    with pytest.raises(UsageError, match="CartPole-v1 cannot be drawn: pygame is not installed"):
        play(run, video=tmp_path / "x.mp4", seconds=0.1)


def test_a_checkpoint_has_a_film_of_its_own(run_of: Callable[[str], Path]) -> None:
    run = run_of("CartPole-v1")
    path, _, _ = played(Path(f"{run}@16"), seconds=0.1)
    assert path == run / "video-16.mp4"


def test_a_run_without_a_policy(tmp_path: Path) -> None:
    with pytest.raises(AmbleError, match="no policy is there"):
        play(tmp_path, seconds=0.1)


def test_nothing_is_written_into_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = shipped_policy("3dball")
    assert folder is not None
    before = sorted(folder.rglob("*"))
    path, _, _ = played(folder, seconds=0.3)
    assert path == Path("3dball.mp4")
    assert sorted(folder.rglob("*")) == before
