"""Run files in, frozen settings out; every refusal says file, line, key, what was expected and what came."""

from pathlib import Path

import pytest

from amble.config import RunConfig, load_run, run_from_env, to_yaml
from amble.errors import UsageError

LECTURE = """\
behaviors:
  Walker:
    trainer_type: ppo
    hyperparameters:
      batch_size: 2048
      buffer_size: 20480
      learning_rate: 0.0003
      beta: 0.005
      epsilon: 0.2
      lambda: 0.95
      num_epoch: 3
    network_settings:
      normalize: true
      hidden_units: 512
      num_layers: 3
      vis_encode_type: simple
    reward_signals:
      extrinsic:
        gamma: 0.995
        strength: 1.0
    keep_checkpoints: 5
    max_steps: 30000000
    time_horizon: 1000
    summary_freq: 30000
"""

# What ML-Agents itself writes beside a run (`configuration.yaml`): every key, most of them null or default.
ML_AGENTS_RESOLVED = """\
default_settings: null
behaviors:
  3DBall:
    trainer_type: ppo
    hyperparameters:
      batch_size: 64
      buffer_size: 12000
      learning_rate: 0.0003
      beta: 0.001
      epsilon: 0.2
      lambd: 0.99
      num_epoch: 3
      shared_critic: false
      learning_rate_schedule: linear
      beta_schedule: linear
      epsilon_schedule: linear
    checkpoint_interval: 500000
    network_settings:
      normalize: true
      hidden_units: 128
      num_layers: 2
      vis_encode_type: simple
      memory: null
      goal_conditioning_type: hyper
      deterministic: false
    reward_signals:
      extrinsic:
        gamma: 0.99
        strength: 1.0
        network_settings:
          normalize: false
          hidden_units: 128
          num_layers: 2
          vis_encode_type: simple
          memory: null
          goal_conditioning_type: hyper
          deterministic: false
    init_path: null
    keep_checkpoints: 5
    even_checkpoints: false
    max_steps: 500000
    time_horizon: 1000
    summary_freq: 12000
    threaded: false
    self_play: null
    behavioral_cloning: null
env_settings:
  env_path: null
  env_args: null
  base_port: 5005
  num_envs: 1
  num_areas: 1
  timeout_wait: 60
  seed: -1
  max_lifetime_restarts: 10
  restarts_rate_limit_n: 1
  restarts_rate_limit_period_s: 60
engine_settings:
  width: 84
  height: 84
  quality_level: 5
  time_scale: 20
  target_frame_rate: -1
  capture_frame_rate: 60
  no_graphics: false
environment_parameters: null
checkpoint_settings:
  run_id: ppo
  initialize_from: null
  load_model: false
  resume: false
  force: false
  train_model: false
  inference: false
  results_dir: results
torch_settings:
  device: null
debug: false
"""


def write(folder: Path, text: str, name: str = "my-run.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def walker(indented: str) -> str:
    """A file of the one behaviour Walker; `indented` starts on line 3."""
    return "behaviors:\n  Walker:\n" + "".join(f"    {line}\n" for line in indented.splitlines())


def load(folder: Path, text: str, *overrides: str) -> RunConfig:
    return load_run(write(folder, text), overrides)


def test_the_lectures_file_loads_as_it_stands(tmp_path: Path) -> None:
    config = load(tmp_path, LECTURE)
    name, behavior = config.behavior
    assert name == "Walker"
    assert config.env_id == "amble/Walker-v0"
    assert config.checkpoint_settings.run_id == "my-run"
    assert behavior.hyperparameters.lambd == 0.95
    assert behavior.hyperparameters.buffer_size == 20480
    assert behavior.network_settings.hidden_units == 512
    assert behavior.reward_signals.extrinsic.gamma == 0.995
    assert behavior.max_steps == 30_000_000


def test_the_file_ml_agents_writes_itself_loads_as_it_stands(tmp_path: Path) -> None:
    config = load(tmp_path, ML_AGENTS_RESOLVED)
    assert config.env_id == "amble/3DBall-v0"
    assert config.checkpoint_settings.run_id == "ppo"
    assert config.behavior[1].hyperparameters.lambd == 0.99


def test_what_is_left_open_has_ml_agents_defaults(tmp_path: Path) -> None:
    _, behavior = load(tmp_path, "behaviors: {Walker: }").behavior
    numbers = behavior.hyperparameters
    assert (numbers.batch_size, numbers.buffer_size, numbers.num_epoch) == (1024, 10240, 3)
    assert (numbers.learning_rate, numbers.beta, numbers.epsilon, numbers.lambd) == (3e-4, 5e-3, 0.2, 0.95)
    assert numbers.learning_rate_schedule == numbers.beta_schedule == numbers.epsilon_schedule == "linear"
    assert (behavior.max_steps, behavior.time_horizon, behavior.summary_freq) == (500_000, 64, 50_000)
    assert (behavior.keep_checkpoints, behavior.checkpoint_interval) == (5, 500_000)
    network = behavior.network_settings
    assert (network.normalize, network.hidden_units, network.num_layers) == (False, 128, 2)
    assert (behavior.reward_signals.extrinsic.gamma, behavior.reward_signals.extrinsic.strength) == (
        0.99,
        1.0,
    )


def test_integral_floats_are_whole_numbers_and_yaml_1_1_flags_are_flags(tmp_path: Path) -> None:
    text = walker(
        "max_steps: 5e5\nhyperparameters: {learning_rate: 3e-4}\nnetwork_settings: {normalize: yes}"
    )
    _, behavior = load(tmp_path, text).behavior
    assert behavior.max_steps == 500_000
    assert isinstance(behavior.max_steps, int)
    assert behavior.hyperparameters.learning_rate == 3e-4
    assert behavior.network_settings.normalize is True


def test_default_settings_are_merged_deeply_and_the_behaviour_wins(tmp_path: Path) -> None:
    text = "default_settings:\n  max_steps: 7\n  hyperparameters: {lambda: 0.5, num_epoch: 9}\n" + walker(
        "hyperparameters: {lambd: 0.9}"
    )
    config = load(tmp_path, text)
    _, behavior = config.behavior
    assert (behavior.max_steps, behavior.hyperparameters.lambd, behavior.hyperparameters.num_epoch) == (
        7,
        0.9,
        9,
    )
    assert config.default_settings is None


def test_beta_and_epsilon_follow_the_learning_rates_schedule_only_where_silent(tmp_path: Path) -> None:
    text = walker("hyperparameters: {learning_rate_schedule: constant, beta_schedule: linear}")
    numbers = load(tmp_path, text).behavior[1].hyperparameters
    assert (numbers.beta_schedule, numbers.epsilon_schedule) == ("linear", "constant")


def test_the_dialect_chooses_only_what_the_file_leaves_open(tmp_path: Path) -> None:
    ours = load(tmp_path, walker("hyperparameters: {}")).behavior[1].hyperparameters
    assert (ours.ratio, ours.advantage_normalization, ours.value_clip) == ("joint", "minibatch", None)
    assert (ours.max_grad_norm, ours.target_kl, ours.normalize_returns, ours.adam_epsilon) == (
        0.5,
        None,
        True,
        1e-5,
    )
    text = walker("hyperparameters: {dialect: ml-agents, epsilon: 0.3, max_grad_norm: 2}")
    theirs = load(tmp_path, text).behavior[1].hyperparameters
    assert (theirs.ratio, theirs.advantage_normalization) == ("per_dimension", "rollout")
    assert theirs.value_clip == 0.3  # the ratio's epsilon
    assert theirs.max_grad_norm == 2.0  # the file's own word
    assert (theirs.normalize_returns, theirs.adam_epsilon) == (False, 1e-8)
    assert (ours.value_coefficient, ours.initial_std, ours.action_clip) == (0.5, 1.0, 3.0)
    explicit = load(tmp_path, walker("hyperparameters: {dialect: ml-agents, value_clip: null}"))
    assert explicit.behavior[1].hyperparameters.value_clip is None


def test_even_checkpoints_space_them_over_the_run(tmp_path: Path) -> None:
    text = walker("even_checkpoints: true\nmax_steps: 1e6\nkeep_checkpoints: 4")
    assert load(tmp_path, text).behavior[1].checkpoint_interval == 250_000  # 1 000 000 / 4


def test_settings_are_frozen(tmp_path: Path) -> None:
    config = load(tmp_path, LECTURE)
    with pytest.raises(ValueError, match="frozen"):
        config.debug = True  # type: ignore[misc]


def test_a_seed_of_minus_one_is_drawn_and_written_out(tmp_path: Path) -> None:
    assert 0 <= load(tmp_path, LECTURE).env_settings.seed < 10_000
    assert load(tmp_path, LECTURE, "env_settings.seed=3").env_settings.seed == 3


def test_an_empty_block_means_its_defaults(tmp_path: Path) -> None:
    config = load(tmp_path, LECTURE + "env_settings:\ncheckpoint_settings:\nengine_settings:\n")
    assert config.checkpoint_settings.run_id == "my-run"


AWKWARD = r"""
env_settings:
  env_kwargs: {a: '-.5e3', b: 'yes', c: 'null', g: '# x', d: "x\u2028é😀\n\x7f", e: [1, 1.5, '1', true, null]}
notes: ['a: b', '- x', "it's"]
environment_parameters: {gravity: -9.81, big: 1e22}
time_limit: 1500
"""


@pytest.mark.parametrize(
    "text",
    [
        LECTURE,
        ML_AGENTS_RESOLVED,
        LECTURE + AWKWARD,
        walker("hyperparameters: {dialect: ml-agents, learning_rate: 1e-05}"),
        walker("hyperparameters: {dialect: ml-agents, value_clip: null}"),
        walker("even_checkpoints: true"),
    ],
)
def test_what_is_written_out_reads_back_equal(tmp_path: Path, text: str) -> None:
    config = load(tmp_path, text)
    written = to_yaml(config)
    again = load_run(write(tmp_path, written, "run.yaml"))
    assert again == config
    assert to_yaml(again) == written
    for name in type(config.behavior[1].hyperparameters).model_fields:
        assert f"      {name}: " in written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            walker("hyperparameters:\n  lerning_rate: 3"),
            r"my-run\.yaml, line 4: unknown key `behaviors\.Walker\.hyperparameters\.lerning_rate`\. "
            r"The nearest valid name is `learning_rate`\.$",
        ),
        ("x: 1\n" + LECTURE, r"line 1: unknown key `x`\. Valid names: `behaviors`, `default_settings`"),
        ("x:\n" + LECTURE, r"line 1: unknown key `x`"),
        (
            walker("hyperparameters: {learning_rate: fast}"),
            r"line 3: `\S+\.hyperparameters\.learning_rate` must be a number, but is the text 'fast'\.$",
        ),
        (
            walker("max_steps: '5e5'"),
            r"`[\w.]+` must be a whole number, but is the text '5e5'\. Remove the quotes\.",
        ),
        (walker("max_steps: true"), "must be a whole number, but is true"),
        (walker("max_steps: 1.5"), "must be a whole number, but is the number 1.5"),
        (walker("max_steps: 0"), "must be at least 1, but is the number 0"),
        (walker("max_steps: [1]"), "must be a whole number, but is a list"),
        (walker("hyperparameters: {learning_rate: 0}"), "must be greater than 0"),
        (walker("hyperparameters: {learning_rate: true}"), "must be a number, but is true"),
        (walker("hyperparameters: {learning_rate: .nan}"), "must be a finite number, but is the number nan"),
        (walker("hyperparameters: {beta: .inf}"), "must be a finite number"),
        (walker("hyperparameters: {epsilon: 1.0}"), "must be less than 1"),
        (walker("hyperparameters: {epsilon: 0}"), "must be greater than 0"),
        (walker("hyperparameters:\n  lambda: 1.9"), r"line 4: `\S+\.lambda` must be at most 1"),
        (
            walker("hyperparameters: {lambda: 0.9, lambd: 0.9}"),
            r"lambda` and `lambd` are two names of one number",
        ),
        (walker("reward_signals: {extrinsic: {gamma: -1}}"), r"extrinsic\.gamma` must be at least 0"),
        (
            walker("hyperparameters:\n  buffer_size: 100"),
            r"line 4: `\S+\.buffer_size` does not fit: batch_size \(1024\) exceeds buffer_size \(100\)",
        ),
        (
            walker("hyperparameters: {learning_rate_schedule: linar}"),
            r"must be one of 'linear', 'constant' or 'adaptive', but is the text 'linar'\. The nearest .* is `linear`",
        ),
        (
            walker("hyperparameters: {dialect: mlagents}"),
            r"dialect` must be one of 'amble' or 'ml-agents', .* nearest valid name is `ml-agents`\.$",
        ),
        (walker("network_settings: 3"), "must be a block of keys, but is the number 3"),
        (walker("network_settings: {normalize: 1}"), "must be true or false, but is the number 1"),
        (
            walker("trainer_type: pp"),
            r"names no trainer: 'pp' is unknown; available: pg, a2c, a3c, trpo, ppo\. .*nearest .* `ppo`\.$",
        ),
        (walker("trainer_type: 3"), "must be a text, but is the number 3"),
        (
            walker("hyperparameters: {tau: 0.005}\ntrainer_type: sac"),
            r"line 4: `\S+trainer_type` asks for trainer sac, which is not supported: ppo learns .*"
            r"one of: pg, a2c, a3c, trpo, ppo\.$",
        ),
        (walker("trainer_type: poca"), "asks for trainer poca, which is not supported: ppo trains each"),
        (
            walker("self_play: {window: 10}"),
            r"`behaviors\.Walker\.self_play` is not supported: all teams of a behaviour learn as one policy here",
        ),
        (
            walker("init_path: x.pt"),
            "init_path` is 'x.pt': networks of ML-Agents .* cannot be read. Name a run",
        ),
        (walker("init_path: ''"), "init_path` must name a run or one of its checkpoints, but is empty"),
        (
            walker("hyperparameters: {shared_critic: true}"),
            "shared_critic` cannot be true: actor and critic are two networks",
        ),
        (
            walker("network_settings: {layer_norm: true, hidden_units: 2}"),
            r"line 3: `\S+\.layer_norm` contradicts hidden_units 2: normalised, one unit is always 0",
        ),
        (
            walker("network_settings: {memory: {memory_size: 7}}"),
            "memory_size` is not right: Input should be a multiple of 2",
        ),
        (
            walker("hyperparameters: {batch_size: 32}\nnetwork_settings: {memory: {sequence_length: 33}}"),
            r"line 4: `\S+memory` does not fit: a sequence of 33 decisions is longer than .* batch_size 32\.",
        ),
        (
            walker("trainer_type: pg\nhyperparameters: {estimator: q}\nnetwork_settings: {memory: {}}"),
            r"line 5: `\S+network_settings\.memory` contradicts estimator q: the Q critic has no memory",
        ),
        (
            walker("trainer_type: trpo\nhyperparameters: {estimator: q}"),
            r"line 4: `\S+\.estimator` is a setting of trainer pg, and not of this run's",
        ),
        (walker("trainer_type: trpo\nhyperparameters: {delta: 0}"), r"delta` must be greater than 0"),
        (
            walker("trainer_type: trpo\nhyperparameters: {backtrack_coefficient: 1}"),
            "coefficient` must be less than 1",
        ),
        (walker("trainer_type: pg\nhyperparameters: {lambd: -0.1}"), r"lambd` must be at least 0"),
        (
            walker("trainer_type: a3c\nhyperparameters: {workers: 5}") + "env_settings: {num_envs: 4}",
            r"line 4: `\S+\.workers` does not fit: 5 workers cannot share 4 environments",
        ),
        (
            walker("hyperparameters: {objective: kl_penalty, ratio: per_dimension}"),
            r"ratio` contradicts objective: kl_penalty bounds the KL of the whole action",
        ),
        (
            walker("hyperparameters: {mirror: true, distribution: beta}"),
            r"mirror` contradicts distribution: beta: only a Gaussian's actions are known in the mirror",
        ),
        (
            walker("hyperparameters: {mirror: true}\nnetwork_settings: {memory: {}}"),
            r"line 4: `\S+network_settings\.memory` contradicts mirror: what a memory holds has no mirror image",
        ),
        (
            walker("network_settings: {deterministic: true}"),
            "deterministic` cannot be true while a policy learns",
        ),
        (
            walker("reward_signals: {curiousity: {}}"),
            r"unknown key `\S+\.curiousity`. The nearest valid name is `curiosity`",
        ),
        (
            walker("reward_signals: {gail: {}}"),
            r"line 3: `\S+\.gail\.demo_path` is missing: gail imitates a demonstration, a \.demo file",
        ),
        (walker("reward_signals: {gail: {demo_path: ''}}"), r"gail\.demo_path` must not be empty"),
        (
            walker("reward_signals: {rnd: {strength: -0.1}}"),
            r"rnd\.strength` must be at least 0\.0, but is the number -0\.1",
        ),
        (walker("reward_signals: {rnd: {learning_rate: 0}}"), r"rnd\.learning_rate` must be greater than 0"),
        (
            walker("reward_signals: {rnd: {network_settings: {memory: {}}}}"),
            r"rnd\.network_settings\.memory` is not supported: a reward signal judges each decision by itself",
        ),
        (
            walker("reward_signals: {extrinsic: null}"),
            r"extrinsic` is null, and there is no other reward signal: nothing would be learned",
        ),
        (
            walker("trainer_type: a2c\nreward_signals: {rnd: {}}"),
            r"reward_signals\.rnd` is for trainer ppo, and this run's is a2c",
        ),
        (
            walker("trainer_type: trpo\nbehavioral_cloning: {demo_path: x.demo}"),
            r"behavioral_cloning` is for trainer ppo, and this run's is trpo",
        ),
        (
            walker("behavioral_cloning: {steps: 5}"),
            r"behavioral_cloning\.demo_path` is missing: cloning imitates a demonstration",
        ),
        (
            walker("behavioral_cloning: {demo_path: x, strength: 0}"),
            r"behavioral_cloning\.strength` must be greater than 0",
        ),
        (walker("behavioral_cloning: {demo_path: x, steps: -1}"), r"steps` must be at least 0"),
        (
            LECTURE + "env_settings: {env_path: ./Walker, env_id: CartPole-v1}",
            "env_path` names a Unity build, and env_settings.env_id another environment, CartPole-v1",
        ),
        (LECTURE + "env_settings: {env_path: ''}", "env_path` must not be empty"),
        (LECTURE + "env_settings: {env_args: --fast}", "env_args` must be a list"),
        (LECTURE + "env_settings: {base_port: 65536}", "base_port` must be less than 65536"),
        (
            "behaviors: {Hopper: {trainer_type: a3c}}",
            "trainer_type` is a3c, whose workers make their own environments: not supported for Unity scenes",
        ),
        (
            LECTURE + "env_settings: {env_kwargs: {a: {b: 1}}}",
            "must be a number, a text, true, false, null or a list",
        ),
        (LECTURE + "env_settings: {env_kwargs: {a: [.inf]}}", "env_kwargs.a` must be a finite number"),
        (LECTURE + "env_settings: {env_id: ''}", "env_id` must not be empty"),
        (LECTURE + "env_settings: {backend: arry}", "nearest valid name is `array`"),
        (
            LECTURE + "checkpoint_settings: {run_id: ../x}",
            r"must be the name of one folder .* but is '\.\./x'",
        ),
        (
            LECTURE + "checkpoint_settings: {resume: true, force: true}",
            "resume` contradicts: resume continues the run",
        ),
        (
            LECTURE + "checkpoint_settings: {load_model: true}",
            r"load_model` cannot be true: .* deprecated by ML-Agents\. Use resume",
        ),
        (
            walker("trainer_type: a3c") + "checkpoint_settings: {inference: true}",
            r"line 4: `checkpoint_settings\.inference` does not fit: inference is for trainers that",
        ),
        (LECTURE + "env_settings: {max_lifetime_restarts: -2}", "max_lifetime_restarts` must be at least -1"),
        (LECTURE + "torch_settings: {device: gpu}", "must be cpu, cuda, cuda:N or mps, but is 'gpu'"),
        (LECTURE + "time_limit: 0", "`time_limit` must be greater than 0"),
        (LECTURE + "notes: text", "`notes` must be a list, but is the text 'text'"),
        (
            "behaviors: {A: {}, B: {}}\nenv_settings: {env_id: CartPole-v1}",
            r"line 1: `behaviors` names 2 behaviours \(A, B\), which share a Unity scene, and env_settings\.env_id "
            "names CartPole-v1",
        ),
        (
            "behaviors: {A: {}, B: {}}\nrewards: {terms: {anything: {}}}",
            r"line 2: `rewards` is the reward of one behaviour, and `behaviors` names 2 \(A, B\)",
        ),
        (
            "behaviors: {A: {}, B: {}}\ncheckpoint_settings: {branch_from: x@1}",
            "line 2: `checkpoint_settings.branch_from` names a checkpoint of one behaviour",
        ),
        (
            "behaviors: {A: {}, B: {}}\ncheckpoint_settings: {inference: true}",
            "line 2: `checkpoint_settings.inference` acts by the policy of one behaviour",
        ),
        (
            "behaviors: {A: {}, B: {}}\nenvironment_parameters:\n  p:\n    curriculum:\n"
            "      - {name: x, value: 1, completion_criteria: {behavior: A, require_reset: true}}\n"
            "      - {name: y, value: 2}",
            r"line 5: `environment_parameters\.p\.curriculum\.0\.completion_criteria\.require_reset` is true, which "
            "breaks off the episodes of one behaviour",
        ),
        ("behaviors: {}", "`behaviors` names no behaviour; a run file needs one"),
        ("trainer: {}", r"names no behaviour.*\(`trainer` is no key of a run file\.\)"),
        ("behaviors: [1]", "`behaviors` must be a block of keys, but is a list"),
        ("behaviors: {Walker: 3}", "`behaviors.Walker` must be a block of keys, but is the number 3"),
        (
            "default_settings:\n  hyperparameters:\n    lambda: 5\nbehaviors: {Walker: }",
            r"line 3: `default_settings\.hyperparameters\.lambda` must be at most 1",
        ),
        (
            walker("max_steps: 0\ntime_horizon: 0"),
            r"line 3: .*max_steps.* Also wrong: `behaviors\.Walker\.time_horizon`\.$",
        ),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        load(tmp_path, text)
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(str(tmp_path / "my-run.yaml"))


SEVERAL = """
default_settings:
  max_steps: 1000
  hyperparameters: {buffer_size: 64, batch_size: 32}
behaviors:
  Ball:
  Team.Blue: {max_steps: 2000, hyperparameters: {lambda: 0.9}}
"""


def test_several_behaviours_share_a_unity_scene_over_default_settings(tmp_path: Path) -> None:
    config = load(tmp_path, SEVERAL)
    ball, blue = config.behaviors["Ball"], config.behaviors["Team.Blue"]
    assert config.env_id == "amble/Unity-v0"
    assert (ball.max_steps, blue.max_steps) == (1000, 2000)
    assert (ball.hyperparameters.buffer_size, blue.hyperparameters.buffer_size) == (64, 64)
    assert blue.hyperparameters.lambd == 0.9  # type: ignore[attr-defined]


def test_an_override_is_for_each_behaviour_or_for_the_one_it_names(tmp_path: Path) -> None:
    path = write(tmp_path, SEVERAL)
    config = load_run(path, ["max_steps=5", "behaviors.Team.Blue.time_horizon=7", "env_settings.seed=3"])
    assert [behavior.max_steps for behavior in config.behaviors.values()] == [5, 5]
    assert [behavior.time_horizon for behavior in config.behaviors.values()] == [64, 7]
    assert config.env_settings.seed == 3
    with pytest.raises(
        UsageError, match=r"the behaviours of this run are `behaviors\.Ball`, `behaviors\.Team"
    ):
        load_run(path, ["behaviors.Red.max_steps=5"])


def test_a_missing_file_is_named_with_the_nearest_preset(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no run file and no preset `wlaker\.yaml`\. The nearest preset is `walker`"
    ):
        load_run("wlaker.yaml")
    with pytest.raises(UsageError, match=r"`nope\.yaml`\. Presets: 3dball, "):
        load_run("nope.yaml")
    with pytest.raises(UsageError, match=r"is a folder, not a run file\.$"):
        load_run(tmp_path)
    write(tmp_path, LECTURE, "run.yaml")
    with pytest.raises(UsageError, match=r"its run file is .*run\.yaml"):
        load_run(tmp_path)


def test_a_binary_file_is_no_run_file(tmp_path: Path) -> None:
    path = tmp_path / "policy.bin"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(UsageError, match=r"policy\.bin: not a text in UTF-8 \(byte 4\)"):
        load_run(path)


def test_any_gymnasium_id_gives_a_run() -> None:
    config = run_from_env("HalfCheetah-v5", overrides=["max_steps=1e4", "env_settings.seed=0"])
    assert config.env_id == "HalfCheetah-v5"
    assert config.checkpoint_settings.run_id == "HalfCheetah-v5-ppo"
    assert config.behavior[1].max_steps == 10_000
    assert config.env_settings.seed == 0


def test_an_id_with_a_module_still_names_one_folder() -> None:
    config = run_from_env(
        "my.module:team/MyEnv-v0", overrides=["behaviors.my.module-team-MyEnv-v0.max_steps=3"]
    )
    assert config.env_id == "my.module:team/MyEnv-v0"
    assert config.checkpoint_settings.run_id == "my.module-team-MyEnv-v0-ppo"
    assert config.behavior[1].max_steps == 3


def test_an_unknown_trainer_for_an_id_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'trpoo' is unknown; available: pg, .*\. The nearest .* is `trpo`"):
        run_from_env("CartPole-v1", trainer="trpoo")
