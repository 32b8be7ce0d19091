"""Takes of the demo's policy, the strip and the film made of them."""

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mujoco
import numpy as np
import pytest
from PIL import Image

from amble.config import RewardSettings, shipped_policy
from amble.envs.bodies.rendering import RenderingUnavailable
from amble.errors import UsageError
from amble.insight import film, stage
from amble.insight.film import Part, columns, poster, write_film
from amble.insight.stage import OWN, Take, body_of, heading, perform
from amble.insight.strip import FRAMES, HEIGHT, WIDTH, cycle, write_strip

REWARDS = RewardSettings.model_validate(
    {"terms": {"upright": {"weight": 0.5}}, "penalties": {"energy": {"weight": 0.001}}, "fall_reward": -1.0}
)


@pytest.fixture(scope="module")
def demo() -> Path:
    folder = shipped_policy("walker-demo")
    assert folder is not None
    return folder


@pytest.fixture(scope="module")
def take(demo: Path) -> Take:
    return perform(demo, 3.0, seed=4, signals=("speed", "landing_air_time", "velocity_error", "gone"))


def test_a_take_of_the_tasks_own_reward(take: Take) -> None:
    assert take.seconds == pytest.approx(1 / 15, rel=1e-3)
    assert len(take) == 45
    assert take.begins.tolist() == [True] + 44 * [False]
    assert set(take.signals) == {
        "speed",
        "landing_air_time",
    }  # one a decision; no substeps, nothing that is not there
    np.testing.assert_array_equal(take.terms[OWN], take.paid)
    gone = np.hypot(*(take.qpos[-1, :2] - take.qpos[15, :2])) / (29 * take.seconds)
    assert gone == pytest.approx(
        take.signals["speed"][16:].mean(), rel=0.25
    )  # the hips go where the body goes


def test_terms_add_up_to_what_is_paid(demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "rewards_of", lambda _: REWARDS)
    made = perform(demo, 1.0)
    assert list(made.terms) == ["upright", "energy", "terminal"]
    np.testing.assert_allclose(sum(made.terms.values()), made.paid, rtol=1e-9)
    assert (made.terms["energy"] <= 0).all()
    assert (made.terms["energy"] < 0).any()


def test_what_is_no_body_of_ours_is_refused() -> None:
    with pytest.raises(UsageError, match="CartPole-v1 is no body of Amble's own"):
        body_of("CartPole-v1", {})


def moved(take: Take, place: np.ndarray) -> Take:
    qpos = take.qpos.copy()
    qpos[:, :2] = place
    return replace(take, qpos=qpos)


def test_the_camera_goes_with_the_way(take: Take) -> None:
    time = np.arange(45) * take.seconds
    north = moved(take, np.stack([0 * time, 2.0 * time], axis=1))
    np.testing.assert_allclose(heading(north), np.pi / 2)
    west = moved(take, np.stack([-2.0 * time, 0 * time], axis=1))
    np.testing.assert_allclose(np.abs(heading(west)), np.pi)
    still = heading(moved(take, np.zeros((45, 2))))
    assert np.ptp(still) < 1e-9  # it looks where it looked when it began


def test_the_cycle_goes_from_landing_to_landing(take: Take) -> None:
    landing = np.zeros((45, 2))
    landing[[3, 12, 21, 32, 41], 0] = 0.3  # 9, 9, 11 and 9 decisions
    landing[21 + 4, 1] = 0.3
    made = replace(take, signals={"landing_air_time": landing})
    assert cycle(made).tolist() == [
        32 + round(9 * share / FRAMES) for share in range(FRAMES)
    ]  # the one after 2 s
    still = replace(take, signals={"landing_air_time": np.zeros((45, 2))})
    chosen = cycle(still)
    assert len(chosen) == FRAMES
    assert 0 <= chosen[0] < chosen[-1] < 45


def test_the_strip(demo: Path, tmp_path: Path) -> None:
    try:
        path = write_strip(demo, tmp_path / "strip.png")
    except RenderingUnavailable as missing:
        pytest.skip(str(missing))
    with Image.open(path) as image:
        assert image.size[0] == pytest.approx(FRAMES * WIDTH, abs=40)
        assert image.size[1] > HEIGHT
        pixels = np.asarray(image.convert("RGB")).astype(int)
    thirds = [pixels[:HEIGHT, i * (WIDTH + 4) : i * (WIDTH + 4) + WIDTH] for i in range(FRAMES)]
    assert all(np.abs(a - b).max() > 40 for a, b in pairwise(thirds))  # the body moves
    assert [entry.name for entry in tmp_path.iterdir()] == ["strip.png"]
    with pytest.raises(UsageError, match=r"a\.jpg: a strip is drawn as PNG"):
        write_strip(demo, tmp_path / "a.jpg")


def test_the_film(take: Take, tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    paid = np.where(np.arange(30) < 20, 1.0, -1.0)
    short = replace(
        take,
        **{name: getattr(take, name)[:30] for name in ("qpos", "marker", "paid", "begins", "ended")},
        signals={name: values[:30] for name, values in take.signals.items()},
        terms={"a": paid, "a term with a very long name indeed": 0 * paid},
    )
    parts = [Part("one", take, "walk"), Part("two", short)]
    try:
        path = write_film(parts, tmp_path / "film.mp4")
        still = poster(parts)
    except RenderingUnavailable as missing:
        pytest.skip(str(missing))
    reader = imageio_ffmpeg.read_frames(str(path))
    about = next(reader)
    reader.close()
    assert about["fps"] == pytest.approx(15, abs=0.01)
    assert about["duration"] == pytest.approx(2.0, abs=0.1)  # the shorter one's
    with Image.open(io.BytesIO(still)) as image:
        width, height = image.size
        assert (about["size"][0], about["size"][1]) == (width + width % 2, height + height % 2)
        assert width >= 2 * film.VIEW_WIDTH


def test_bars_go_to_their_own_side() -> None:
    def colours(value: float) -> set[tuple[int, int, int]]:
        panel = Image.new("RGB", (film.VIEW_WIDTH, film.VIEW_HEIGHT + 120))
        terms = {"up": np.array([1.0, -1.0, value])}
        made = Take(
            mujoco.MjModel.from_xml_string("<mujoco/>"), -1, np.zeros((3, 7)), np.zeros((3, 0, 3)), {}, terms,
            np.zeros(3), np.zeros(3, bool), np.zeros(3, bool), 0.1, 1, "sum",
        )  # fmt: skip
        film._bars(panel, made, 2, 1.0)
        return {colour for _, colour in panel.getcolors(1 << 16) or [] if colour in (film._PLUS, film._MINUS)}

    assert colours(0.5) == {film._PLUS}
    assert colours(-0.5) == {film._MINUS}
    assert colours(0.0) == set()


@pytest.mark.parametrize(("count", "wide"), [(1, 1), (2, 2), (3, 3), (4, 2), (5, 3), (9, 3), (11, 4)])
def test_how_many_stand_beside_each_other(count: int, wide: int) -> None:
    assert columns(count) == wide
