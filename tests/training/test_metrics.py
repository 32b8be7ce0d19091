import json
import logging
import shutil

import numpy as np
import pytest
import torch

from amble.errors import AmbleError, UsageError
from amble.training.events import masked_crc32c
from amble.training.metrics import REQUIRED, MetricsLog, read_metrics, scalars
from amble.training.run_directory import RunDirectory


def row(iteration, **more):
    known = dict.fromkeys(REQUIRED, 0.0)
    return {
        **known,
        "iteration": iteration,
        "env_steps": 100 * iteration,
        "return_mean": float(iteration),
        **more,
    }


@pytest.fixture
def run(tmp_path):
    with RunDirectory.create(tmp_path, "run") as run:
        run.run_yaml.write_text("")
        yield run


def tensorboard(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(run.path), size_guidance={"scalars": 0, "tensors": 0})
    accumulator.Reload()
    return accumulator


def curve(accumulator, tag):
    return [(event.step, event.value) for event in accumulator.Scalars(tag)]


class TestRows:
    def test_come_back_with_null_for_what_is_no_number(self, run):
        with MetricsLog(run) as log:
            log.write(
                row(
                    1,
                    return_mean=None,
                    kl=float("nan"),
                    grad_norm=float("inf"),
                    n=np.int64(3),
                    x=np.float32(0.5),
                )
            )
            assert log.last["kl"] is None
        (text,) = run.metrics.read_text().splitlines()
        assert "NaN" not in text
        (back,) = read_metrics(run.path)
        assert back == row(1, return_mean=None, kl=None, grad_norm=None, n=3, x=0.5)

    def test_a_torch_scalar_is_a_number(self, run):
        with MetricsLog(run) as log:
            log.write(row(1, kl=torch.tensor(0.25)))
        assert read_metrics(run.path)[0]["kl"] == 0.25

    def test_are_there_at_once(self, run):
        with MetricsLog(run) as log:
            log.write(row(1))
            log.sync()
            assert len(read_metrics(run.path)) == 1

    @pytest.mark.parametrize("key", REQUIRED)
    def test_none_is_written_without_the_keys_that_others_read(self, run, key):
        lacking = row(1)
        del lacking[key]
        with MetricsLog(run) as log, pytest.raises(ValueError, match=f"lacks {key}$"):
            log.write(lacking)
        assert read_metrics(run.path) == []

    def test_a_last_line_cut_short_is_passed_over(self, run):
        with MetricsLog(run) as log:
            log.write(row(1))
            log.write(row(2))
        whole = run.metrics.read_bytes()
        run.metrics.write_bytes(whole[:-5])
        assert [each["iteration"] for each in read_metrics(run.path)] == [1]

    @pytest.mark.parametrize("line", ["{", "[1]", "[" * 100_000])
    def test_a_line_that_is_none_is_named(self, run, line):
        run.metrics.write_text(f"{{}}\n{line}\n{{}}\n")
        with pytest.raises(AmbleError, match=r"metrics\.jsonl, line 2: expected a JSON object"):
            read_metrics(run.path)

    def test_no_metrics(self, tmp_path):
        with pytest.raises(UsageError, match=r"metrics\.jsonl: there is no such file"):
            read_metrics(tmp_path)

    def test_a_removed_run_is_noticed(self, run):
        with MetricsLog(run) as log:
            log.write(row(1))
            shutil.rmtree(run.path)
            with pytest.raises(AmbleError, match="was removed while the run was going"):
                log.write(row(2))


class TestWhatAScenesReport:
    def test_keeps_its_name_and_ours_go_before(self):
        tags = scalars(
            row(1, **{"scene.Goals/Left": 2.0, "scene.Environment/Cumulative Reward": 99.0, "lesson.wall": 3})
        )
        assert tags["Goals/Left"] == 2.0
        assert tags["Environment/Cumulative Reward"] == 1.0
        assert tags["Environment/Lesson Number/wall"] == 3.0

    def test_histograms_hold_every_value(self, run):
        with MetricsLog(run) as log:
            log.write(row(1), {"Height": [1.0, 2.0, 2.0, 5.0, float("nan")], "Same": [3.0, 3.0], "None": []})
        accumulator = tensorboard(run)
        assert set(accumulator.Tags()["histograms"]) == {"Height_hist", "Same_hist"}
        (event,) = accumulator.Histograms("Height_hist")
        spread = event.histogram_value
        assert (event.step, spread.min, spread.max, spread.num, spread.sum) == (100, 1.0, 5.0, 4.0, 10.0)
        assert (spread.sum_squares, sum(spread.bucket)) == (34.0, 4.0)
        counts = {
            limit: count for limit, count in zip(spread.bucket_limit, spread.bucket, strict=True) if count
        }
        assert list(counts.values()) == [1.0, 2.0, 1.0]
        assert list(counts) == sorted(counts)
        (same,) = accumulator.Histograms("Same_hist")
        assert (same.histogram_value.bucket, same.histogram_value.bucket_limit) == ([2.0], [3.0])


class TestResume:
    def test_rows_go_on_without_gap_or_double(self, run):
        with MetricsLog(run) as log:
            for iteration in range(1, 6):
                log.write(row(iteration))
        with run.metrics.open("a") as stream:
            stream.write('{"iteration": 6, "env')  # a kill amid a write
        with MetricsLog(run, resume_iteration=3) as log:
            assert log.last["iteration"] == 3
            assert [each["iteration"] for each in read_metrics(run.path)] == [1, 2, 3]
            for iteration in (4, 5):
                log.write(row(iteration, return_mean=-1.0))
        assert [(each["iteration"], each["return_mean"]) for each in read_metrics(run.path)] == [
            (1, 1.0),
            (2, 2.0),
            (3, 3.0),
            (4, -1.0),
            (5, -1.0),
        ]
        assert curve(tensorboard(run), "Environment/Cumulative Reward") == [
            (100, 1.0),
            (200, 2.0),
            (300, 3.0),
            (400, -1.0),
            (500, -1.0),
        ]

    def test_from_before_the_first_row(self, run):
        with MetricsLog(run) as log:
            log.write(row(1))
        with MetricsLog(run, resume_iteration=0) as log:
            assert log.last == {}
            log.write(row(1, return_mean=7.0))
        assert [each["return_mean"] for each in read_metrics(run.path)] == [7.0]
        assert curve(tensorboard(run), "Environment/Cumulative Reward") == [(100, 7.0)]

    def test_lost_rows_are_said(self, run, caplog):
        with MetricsLog(run) as log:
            log.write(row(1))
        with caplog.at_level(logging.WARNING):
            MetricsLog(run, resume_iteration=3).close()
        assert "ends at iteration 1, the checkpoint is of iteration 3" in caplog.text


class TestTensorBoard:
    def test_tags_are_those_of_ml_agents(self):
        given = {
            "return_mean": 1.0,
            "length_mean": 2.0,
            "entropy": 3.0,
            "learning_rate": 4.0,
            "epsilon": 5.0,
            "beta": 6.0,
            "value_mean": 7.0,
            "policy_loss": -8.0,
            "value_loss": 9.0,
            "kl": 10.0,
            "episodes": 5,
            "iteration": 1,
            "env_steps": 100,
            "wall_seconds": 1.0,
            "explained_variance": None,
        }
        assert scalars(given) == {
            "Environment/Cumulative Reward": 1.0,
            "Environment/Episode Length": 2.0,
            "Policy/Entropy": 3.0,
            "Policy/Learning Rate": 4.0,
            "Policy/Epsilon": 5.0,
            "Policy/Beta": 6.0,
            "Policy/Extrinsic Value Estimate": 7.0,
            "Policy/Extrinsic Reward": 1.0,
            "Losses/Policy Loss": 8.0,
            "Losses/Value Loss": 9.0,
            "Amble/kl": 10.0,
        }

    def test_tags_of_other_rewards_are_too(self):
        assert list(
            scalars(
                dict.fromkeys(
                    (
                        "curiosity_reward",
                        "curiosity_value_mean",
                        "curiosity_forward_loss",
                        "curiosity_inverse_loss",
                        "rnd_reward",
                        "rnd_loss",
                        "gail_reward",
                        "gail_loss",
                        "gail_expert_estimate",
                        "cloning_loss",
                        "gail_explained_variance",
                    ),
                    1.0,
                )
            )
        ) == [
            "Policy/Curiosity Reward",
            "Policy/Curiosity Value Estimate",
            "Losses/Curiosity Forward Loss",
            "Losses/Curiosity Inverse Loss",
            "Policy/Rnd Reward",
            "Losses/RND Loss",
            "Policy/Gail Reward",
            "Losses/GAIL Loss",
            "Policy/GAIL Expert Estimate",
            "Losses/Pretraining Loss",
            "Amble/gail_explained_variance",
        ]

    def test_the_extrinsic_reward_may_differ_from_the_return(self):
        values = scalars({"return_mean": 1.0, "extrinsic_reward": 0.5})
        assert values["Policy/Extrinsic Reward"] == 0.5

    def test_reads_what_was_written(self, run):
        with MetricsLog(run) as log:
            log.text("Hyperparameters", "| a | b |")
            log.write(row(1, kl=0.25, return_mean=None))
            log.write(row(2, kl=0.5))
        accumulator = tensorboard(run)
        assert curve(accumulator, "Amble/kl") == [(100, 0.25), (200, 0.5)]
        assert curve(accumulator, "Environment/Cumulative Reward") == [(200, 2.0)]
        (text,) = accumulator.Tensors("Hyperparameters")
        assert text.tensor_proto.string_val[0] == b"| a | b |"

    def test_the_checksum(self):
        # CRC-32C of "123456789" is E3069283 (RFC 3720); TFRecord rotates it right by 15 and adds A282EAD8.
        crc = 0xE3069283
        assert (
            masked_crc32c(b"123456789")
            == (((crc >> 15) | (crc << 17) & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF
        )


class TestSummary:
    def test_is_the_last_row_and_why(self, run):
        with MetricsLog(run) as log:
            log.write(row(1))
            log.write(row(2, kl=float("nan")))
            log.write_summary("done", best_return=float("inf"), policy="policy")
        assert json.loads(run.summary.read_text()) == {
            **row(2, kl=None),
            "exit_reason": "done",
            "best_return": None,
            "policy": "policy",
        }

    def test_before_the_first_row(self, run):
        with MetricsLog(run) as log:
            log.write_summary("interrupted")
        assert json.loads(run.summary.read_text()) == {"exit_reason": "interrupted"}

    def test_nothing_heavy_is_imported(self):
        import subprocess
        import sys

        code = (
            "import sys; sys.argv[0] = 'amble'; import amble.training.metrics; "
            "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
