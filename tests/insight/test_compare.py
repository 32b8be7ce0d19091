"""`compare` from end to end, on a few hundred steps of CartPole."""

import io
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("arch")

from amble.config import run_from_env, to_yaml
from amble.errors import UsageError
from amble.insight.compare import compare
from amble.insight.compare_progress import CompareProgress, progress_line
from amble.insight.compare_runs import settings_text
from amble.insight.jobs import Job, run_jobs
from amble.insight.variants import Run, Variant

TINY = (
    "hyperparameters.buffer_size=64",
    "hyperparameters.batch_size=32",
    "hyperparameters.num_epoch=1",
    "network_settings.hidden_units=8",
    "network_settings.num_layers=1",
    "max_steps=256",
)
BLUE, VERMILION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Children run this code, not the one that happens to be installed.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))


def ink(path, colour):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(pixels - colour).max(-1) < 12).sum())


def tiny(**words):
    told = io.StringIO()
    result = compare(
        env="CartPole-v1", settings=TINY, jobs=2, episodes=4, out=Path("out"), stream=told, **words
    )
    return result, told.getvalue()


def test_two_variants_of_two_seeds(tmp_path):
    vary = ["hyperparameters.learning_rate=1e-3,1e-5"]
    result, told = tiny(vary=vary, seeds=2)
    assert (result.exit_code, result.failures) == (0, [])
    assert "learning_rate=1e-3, seed 0: done" in told

    figures = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert figures == result.figures
    fast, slow = figures["variants"]
    assert (fast["name"], slow["name"]) == ("learning_rate=1e-3", "learning_rate=1e-5")
    for variant in (fast, slow):
        assert variant["seeds"] == [0, 1]
        assert variant["env_steps"] == [256, 256]
        assert all(9 <= value <= 500 for value in variant["returns"])
        assert variant["iqm"] == pytest.approx(np.mean(variant["returns"]))
        assert variant["interval"] == [min(variant["returns"]), max(variant["returns"])]
        assert variant["wall_seconds"] > 0
        assert 8 <= variant["area_under_curve"] <= 500
    assert figures["pairs"][0]["a"] == fast["name"]
    assert figures["verdict"].startswith("no winner: ")  # two seeds never name one
    assert result.table.splitlines()[0].split() == [
        *("variant", "seeds", "IQM", "return", "95", "%", "interval", "area", "wall", "s", "steps/s")
    ]
    assert figures["verdict"] in result.table
    picture = tmp_path / "out" / "compare.png"
    assert ink(picture, BLUE) > 200
    assert ink(picture, VERMILION) > 150

    # Complete runs are kept, and the numbers are the same again.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out/*/metrics.jsonl")}
    assert len(before) == 4
    again, told = tiny(vary=vary, seeds=2)
    assert "4 of 4 runs are complete" in told
    assert again.figures == figures
    assert before == {path: path.stat().st_mtime_ns for path in before}

    # The runs themselves compare to the same.
    there = compare(["out"], episodes=4, out=Path("other"), stream=io.StringIO())
    assert [variant["returns"] for variant in there.figures["variants"]] == [fast["returns"], slow["returns"]]
    assert [variant["name"] for variant in there.figures["variants"]] == [fast["name"], slow["name"]]

    # The same folder with other settings would mix what is not comparable.
    with pytest.raises(UsageError, match=r"begun with other settings \(now `num_epoch: 3`\)"):
        compare(
            env="CartPole-v1",
            settings=[*TINY, "hyperparameters.num_epoch=3"],
            vary=vary,
            out=Path("out"),
            stream=io.StringIO(),
        )


REWARDS = {
    "alive": "terms: {alive: {term: signal, weight: 2.0, signals: {x: reward}}}",
    "still": "terms: {alive: {term: signal, signals: {x: reward}}}\n"
    '  penalties: {moving: {term: signal, weight: 0.5, signals: {x: "observation[1]"}}}',
}


def test_two_rewards_are_paid_across_and_put_on_a_page(tmp_path, monkeypatch):
    for name, block in REWARDS.items():
        text = to_yaml(run_from_env("CartPole-v1", "ppo", TINY)).replace(
            "rewards: null", f"rewards:\n  {block}"
        )
        (tmp_path / f"{name}.yaml").write_text(text)
    told = io.StringIO()
    result = compare(["alive.yaml", "still.yaml"], seeds=2, jobs=2, episodes=4, out=Path("out"), stream=told)
    assert (result.exit_code, result.failures) == (0, [])
    figures = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert figures["rewards"] == ["alive", "still", "task's own"]
    for name in REWARDS:
        row = {column: cell["value"] for column, cell in figures["cross"][name].items()}
        assert row["alive"] == pytest.approx(2 * row["task's own"])  # CartPole pays 1 a decision
        assert figures["cross"][name]["alive"]["interval"] is not None
    ledger = {label: cell["value"] for label, cell in figures["ledger"]["still"].items()}
    assert ledger["alive"] == pytest.approx(figures["cross"]["still"]["task's own"]["value"])
    assert ledger["alive"] + ledger["moving"] == pytest.approx(figures["cross"]["still"]["still"]["value"])
    assert ledger["moving"] != 0
    assert figures["ledger"]["alive"]["alive"]["value"] == pytest.approx(
        figures["cross"]["alive"]["alive"]["value"]
    )
    page = (tmp_path / "out" / "comparison.html").read_text()
    assert "Every policy by every reward" in page
    assert "How they go" not in page  # CartPole has no feet
    assert "There is no film: CartPole-v1 is no body of Amble&#x27;s own" in page
    assert str(tmp_path / "out" / "comparison.html").endswith(result.table.splitlines()[-1])

    # Ctrl-C while it is measured keeps the runs, and says how to go on.
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("amble.insight.compare.evaluated", interrupted)
    told = io.StringIO()
    again = compare(["alive.yaml", "still.yaml"], seeds=2, out=Path("out"), stream=told)
    assert again.exit_code == 130
    assert (
        "Stopped: 4 of 4 runs are complete and kept in out. The same command with --out out goes on."
        in told.getvalue()
    )


def test_a_run_that_fails_is_named_and_the_others_go_on():
    result, told = tiny(vary=["torch_settings.device=cpu,cuda:99"], seeds=1)
    assert result.exit_code == 1
    (failure,) = result.failures
    assert failure.startswith("device=cuda:99, seed 0 failed with exit code ")
    assert "out/device=cuda-99-seed0.log ends: amble: " in failure
    assert "CUDA" in failure
    assert "device=cuda:99, seed 0: failed" in told
    good, bad = result.figures["variants"]
    assert len(good["returns"]) == 1
    assert good["interval"] is None
    assert (bad["returns"], bad["iqm"]) == ([], None)
    assert "no winner: device=cpu is the only variant with a finished run" in result.table
    assert "one seed: none" in result.table


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"seeds": 0}, "--seeds must be at least 1, but is 0"),
        ({"jobs": 0}, "--jobs must be at least 1"),
        ({"episodes": 0}, "--episodes must be at least 1"),
        ({"sources": ["cartpole", "pendulum"]}, "learn in different environments"),
        ({"sources": [], "env": "CartPol-v1"}, "There is no environment 'CartPol-v1'. Nearest: CartPole-v1"),
        ({"time": -1}, "--time -1: `time_limit` must be greater than 0"),
        ({"max_steps": 0.5}, r"--max-steps 0.5: .* must be a whole number"),
    ],
)
def test_what_cannot_be_compared_starts_nothing(words, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        compare(**{"sources": ["cartpole"], **words})
    assert list(tmp_path.iterdir()) == []


def test_runs_that_are_there_take_no_settings_and_need_metrics(tmp_path):
    run = tmp_path / "a"
    run.mkdir()
    (run / "run.yaml").write_text(to_yaml(run_from_env("CartPole-v1")))
    with pytest.raises(UsageError, match=r"a/metrics\.jsonl: there is no such file"):
        compare([str(run)])
    with pytest.raises(UsageError, match=r"--vary, --seeds: these runs are there already"):
        compare([str(run)], seeds=3, vary=["max_steps=1,2"])


def job(folder, seed=0):
    variant = Variant("it", run_from_env("CartPole-v1", "ppo", ["max_steps=100000000"]))
    settings = folder / "it.yaml"
    settings.write_text(to_yaml(variant.config))
    return Job(Run(variant, seed, folder / f"it-seed{seed}"), settings)


def test_a_job_resumes_only_where_there_is_a_checkpoint(tmp_path):
    waiting = job(tmp_path)
    assert waiting.words[-1] == "--force"
    waiting.resume = True
    assert waiting.words[-1] == "--force"
    (waiting.run.path / "checkpoints" / "step-000000000064").mkdir(parents=True)
    assert waiting.words[-1] == "--resume"
    waiting.terms = Path("mine.py")
    assert waiting.words[-3:] == ["--terms", "mine.py", "--resume"]


def test_a_start_from_a_run_is_one_from_its_results(tmp_path):
    """A variant's results lie elsewhere than the run that it starts from."""
    side = Variant("it", run_from_env("CartPole-v1", "ppo", ["checkpoint_settings.initialize_from=old"]))
    assert "initialize_from: old" in settings_text(
        side, tmp_path
    )  # a preset's policy, or nothing that is there
    (tmp_path / "results" / "old").mkdir(parents=True)
    (tmp_path / "results" / "old" / "run.yaml").write_text("")
    text = settings_text(side, tmp_path)
    assert 'branch_from: "results/old@latest"' in text
    assert "initialize_from: null" in text


def test_children_do_not_outlive_the_comparison(tmp_path):
    jobs = [job(tmp_path, seed) for seed in range(3)]
    run_jobs(jobs, 2, lambda _: None, lambda: jobs[0].process is not None)
    assert jobs[2].process is None
    for started in jobs[:2]:
        assert started.process.poll() == -signal.SIGTERM  # it was still importing
        assert started.exit_code is None


def test_an_exception_ends_the_children_too(tmp_path):
    jobs = [job(tmp_path)]

    def fail(_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_jobs(jobs, 1, fail, lambda: False)
    assert jobs[0].process.poll() is not None


def test_the_progress_line_fits_its_width(tmp_path):
    jobs = [job(tmp_path, seed) for seed in range(2)]
    jobs[0].exit_code, jobs[0].share = 0, 1.0
    wide = progress_line(jobs, 60.0, 100)
    assert "1 of 2 runs · 50 % · 1 min 0 s · 1 min 0 s left" in wide
    assert len(progress_line(jobs, 60.0, 48)) < 48


def test_a_stream_that_breaks_ends_only_the_display(tmp_path, caplog):
    class Broken(io.StringIO):
        def write(self, _):
            raise BrokenPipeError

    ended = job(tmp_path)
    ended.exit_code = 0
    with CompareProgress(Broken()) as progress:
        progress.show([ended])
        progress.message("more")
    assert "progress is no longer shown" in caplog.text
