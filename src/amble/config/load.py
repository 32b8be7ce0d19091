"""From a preset's name, a run file or a Gymnasium id to a `RunConfig`."""

import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from amble.config.catalogue import list_presets
from amble.config.explain import Source, explain
from amble.config.nearest import nearest
from amble.config.overrides import Override, apply_overrides, parse_override
from amble.config.reshaping import RewardSettings
from amble.config.run import RunConfig, merged_blocks, one_behavior_only
from amble.config.yaml_reader import Document, read_document
from amble.errors import UsageError

_DRAWN_SEEDS = 10_000  # ML-Agents draws from 0..9999 too

_ANY_TASK: dict[str, Any] = {
    "network_settings": {"normalize": True, "hidden_units": 64, "num_layers": 2, "activation": "tanh"},
    "reward_signals": {"extrinsic": {"gamma": 0.99}},
    "max_steps": 1_000_000,
    "time_horizon": 2048,
    "summary_freq": 20_000,
    "checkpoint_interval": 250_000,
}
# The settings public trainers agree on for Gymnasium's tasks; the other trainers' defaults are made for them.
_ANY_TASK_PPO: dict[str, Any] = {
    "batch_size": 64,
    "buffer_size": 2048,
    "learning_rate": 3e-4,
    "learning_rate_schedule": "linear",
    "beta": 0.0,
    "epsilon_schedule": "constant",
    "num_epoch": 10,
}


def load_run(
    source: str | Path, overrides: Sequence[str | Override] = (), run_id: str | None = None
) -> RunConfig:
    """The run that a preset's name or a run file's path describes, with `overrides` made.

    An override is `dotted.key=value` (below every behaviour, or from the top of the file). What the file
    leaves open and only the moment can tell is settled here: the run-id (`run_id`, or the preset's or file's name)
    and a seed of -1 (drawn). UsageError names file, line, key, what was expected, what came and the nearest name.
    """
    path = _find(source)
    return _resolve(_with_base(_open(path), path), run_id or path.stem, overrides)


def load_rewards(source: str | Path) -> RewardSettings:
    """The `rewards` block of a preset or a YAML file, which need not hold anything else.

    Raises:
        UsageError: there is no such file or block, or something in it is wrong; with file, line and key.
    """
    path = _find(source)
    document = _with_base(_open(path), path)
    block: object = document.values.get("rewards")
    if not isinstance(block, dict):
        raise UsageError(f"{document.name}: has no block `rewards` of terms; it says what is to be paid.")
    try:
        config = RunConfig.model_validate({"rewards": block})
    except ValidationError as failure:
        raise UsageError(explain(failure, Source(document.name, document.lines))) from failure
    assert config.rewards is not None
    return config.rewards


def run_from_env(env_id: str, trainer: str = "ppo", overrides: Sequence[str | Override] = ()) -> RunConfig:
    """A run for any Gymnasium id, with settings that suit an unknown task; the behaviour bears its name."""
    name = re.sub(r"[/\\:]", "-", env_id)
    hyperparameters = _ANY_TASK_PPO if trainer == "ppo" else {}
    values: dict[str, Any] = {
        "behaviors": {name: {"trainer_type": trainer, "hyperparameters": hyperparameters, **_ANY_TASK}},
        "env_settings": {"env_id": env_id},
    }
    return _resolve(Document(f"settings for {env_id}", values, {}), f"{name}-{trainer}", overrides)


def _find(source: str | Path) -> Path:
    presets = {preset.name: preset.path for preset in list_presets()}
    if isinstance(source, str) and source in presets:
        return presets[source]
    path = Path(source)
    if path.is_dir():
        inside = path / "run.yaml"
        hint = f"; its run file is {inside}" if inside.is_file() else ""
        raise UsageError(f"{source} is a folder, not a run file{hint}.")
    if path.exists():
        return path
    match = nearest(path.stem, presets)
    meant = f"The nearest preset is `{match}`. " if match else ""
    raise UsageError(f"There is no run file and no preset `{source}`. {meant}Presets: {', '.join(presets)}.")


def _open(path: Path) -> Document:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text in UTF-8 (byte {error.start}); this is no run file.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    return read_document(text, str(path))


def _with_base(document: Document, path: Path, above: tuple[str, ...] = ()) -> Document:
    """The document over the one that it is `based_on`: a preset, or a run file named from where it lies itself."""
    values = dict(document.values)
    base = values.pop("based_on", None)
    if base is None:
        return Document(document.name, values, document.lines)
    where = f"{document.name}, line {document.lines.get(('based_on',), 1)}: `based_on`"
    if not isinstance(base, str):
        raise UsageError(f"{where} must name a preset or a run file, but is {base!r}.")
    presets = {preset.name: preset.path for preset in list_presets()}
    found = presets.get(base, path.parent / base)
    if not found.is_file():
        match = nearest(base, presets)
        raise UsageError(
            f"{where} names {base!r}, and there is no such preset or file."
            + (f" The nearest preset is `{match}`." if match else f" Presets: {', '.join(presets)}.")
        )
    key = str(found.resolve())
    if key in above or found.resolve() == path.resolve():
        raise UsageError(f"{where} leads back to {base!r}: a run file cannot be based on itself.")
    below = _with_base(_open(found), found, (*above, str(path.resolve())))
    merged = merged_blocks(below.values, values)
    assert isinstance(merged, dict)
    return Document(document.name, cast("dict[str, Any]", merged), document.lines)


def _resolve(document: Document, run_id: str, overrides: Sequence[str | Override]) -> RunConfig:
    changes = [parse_override(item) if isinstance(item, str) else item for item in overrides]
    behaviors = _behaviors(document)
    values, cited = apply_overrides(document.values, behaviors, changes)
    values = _with_default(values, "checkpoint_settings", "run_id", run_id)
    source = Source(document.name, document.lines, cited)
    try:
        config = RunConfig.model_validate(values)
    except ValidationError as failure:
        raise UsageError(explain(failure, source)) from failure
    return _seeded(config)


def _behaviors(document: Document) -> list[str]:
    """The behaviours' names; none where `behaviors` is not even a block (validation says so)."""
    behaviors: object = document.values.get("behaviors") or {}
    if not isinstance(behaviors, dict):
        return []
    names = list(cast("dict[str, Any]", behaviors))
    if not names:
        _, where = Source(document.name, document.lines).locate(("behaviors",))
        unknown = [key for key in document.values if key not in RunConfig.model_fields]
        meant = f" (`{unknown[0]}` is no key of a run file.)" if unknown else ""
        raise UsageError(f"{where}: {one_behavior_only(names)}{meant}")
    return names


def _with_default(values: dict[str, Any], block: str, key: str, value: Any) -> dict[str, Any]:
    given: object = values.get(block)
    if given is None:
        given = {}
    if not isinstance(given, dict) or cast("dict[str, Any]", given).get(key) is not None:
        return values
    return {**values, block: {**cast("dict[str, Any]", given), key: value}}


def _seeded(config: RunConfig) -> RunConfig:
    if config.env_settings.seed != -1:
        return config
    drawn = random.SystemRandom().randrange(_DRAWN_SEEDS)
    settings = config.env_settings.model_copy(update={"seed": drawn})
    return config.model_copy(update={"env_settings": settings})
