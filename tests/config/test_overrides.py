"""`--set` and the command's options, relative to the behaviour or from the top of the file."""

from pathlib import Path

import pytest

from amble.config import Override, RunConfig, load_run
from amble.errors import UsageError

FILE = "behaviors:\n  Walker:\n    hyperparameters: {lambda: 0.3, batch_size: 32}\n    max_steps: 10\n"


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "file.yaml"
    path.write_text(FILE)
    return path


def changed(run_file: Path, *overrides: str | Override) -> RunConfig:
    return load_run(run_file, overrides)


def test_a_key_below_the_one_behaviour_or_by_its_full_path(run_file: Path) -> None:
    for key in ("hyperparameters.learning_rate", "behaviors.Walker.hyperparameters.learning_rate"):
        config = changed(run_file, f"{key}=1e-3")
        assert config.behavior[1].hyperparameters.learning_rate == 1e-3
        assert config.behavior[1].hyperparameters.batch_size == 32


def test_a_key_from_the_top_of_the_file(run_file: Path) -> None:
    config = changed(
        run_file,
        "env_settings.num_envs=64",
        "time_limit=1.5e3",
        "env_settings.env_kwargs={range: [1.0, 3.0]}",
    )
    assert config.env_settings.num_envs == 64
    assert config.time_limit == 1500.0
    assert config.env_settings.env_kwargs == {"range": [1.0, 3.0]}


def test_a_key_of_the_environment_need_not_exist_yet(run_file: Path) -> None:
    assert changed(run_file, "env_settings.env_kwargs.speed=2").env_settings.env_kwargs == {"speed": 2}


def test_both_spellings_of_lambda_change_the_one_number(run_file: Path) -> None:
    assert changed(run_file, "hyperparameters.lambda=0.7").behavior[1].hyperparameters.lambd == 0.7
    assert changed(run_file, "hyperparameters.lambd=0.6").behavior[1].hyperparameters.lambd == 0.6


def test_null_takes_a_value_away_and_the_last_word_counts(run_file: Path) -> None:
    config = changed(run_file, "hyperparameters.max_grad_norm=null", "max_steps=5", "max_steps=6")
    assert config.behavior[1].hyperparameters.max_grad_norm is None
    assert config.behavior[1].max_steps == 6


def test_an_options_text_is_not_parsed(run_file: Path) -> None:
    config = changed(run_file, Override("checkpoint_settings.run_id", "1e6", "--run-id 1e6"))
    assert config.checkpoint_settings.run_id == "1e6"


def test_the_file_itself_is_left_alone(run_file: Path) -> None:
    changed(run_file, "max_steps=5")
    assert run_file.read_text() == FILE


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "learning_rate=3",
            r"^--set learning_rate=3: the key `learning_rate` does not exist\. The nearest valid name "
            r"is `hyperparameters\.learning_rate`\.$",
        ),
        ("hyperparameter.lambd=1", r"nearest valid name is `hyperparameters\.lambd`"),
        ("env_settings.num_env=3", r"nearest valid name is `env_settings\.num_envs`"),
        ("zzzzzzz=1", "the key `zzzzzzz` does not exist. See the keys in a run's own run.yaml"),
        (
            "behaviors.Walkr.max_steps=3",
            r"does not exist; the one behaviour of this run is `behaviors\.Walker`",
        ),
        ("foo", "^--set foo: this is no key=value; for example"),
        ("=3", "this is no key=value"),
        ("a..b=3", "has an empty part between its dots"),
        ("max_steps.x=3", r"^--set max_steps\.x=3: `behaviors\.Walker\.max_steps` is a value, not a block"),
        (
            "time_horizon.x=3",
            r"^--set time_horizon\.x=3: `behaviors\.Walker\.time_horizon` must be a whole number",
        ),
        (
            "max_steps=many",
            r"^--set max_steps=many: `\S+max_steps` must be a whole number, but is the text 'many'",
        ),
        ("hyperparameters.lambda=2", r"^--set hyperparameters\.lambda=2: `\S+` must be at most 1"),
        (
            "hyperparameters.buffer_size=8",
            r"^--set \S+: `\S+\.buffer_size` does not fit: batch_size \(32\) exceeds",
        ),
        (
            "env_settings.env_kwargs={a: [1",
            r"^--set env_settings.env_kwargs=\{a: \[1, line 1: this is not valid YAML",
        ),
        ("notes=!!python/name:os.system", "the YAML tag `!!python/name:os.system` is refused"),
        (
            "env_settings.env_kwargs={a: .nan}",
            r"^--set env_settings\.env_kwargs=.*: `env_settings\.env_kwargs\.a` must",
        ),
    ],
)
def test_refusals_cite_the_words_of_the_command(run_file: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        changed(run_file, override)
