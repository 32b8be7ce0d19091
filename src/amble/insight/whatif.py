"""What if the reward were another: recorded episodes paid anew, without a single step of physics.

Nothing is trained: it says which of the behaviours that are there an edited reward would prefer, and which of its
weights matter to that. Axes: E episodes of all runs together, K terms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from amble.config import RewardSettings, load_rewards
from amble.errors import UsageError
from amble.insight.gait import NEEDED, fingerprints
from amble.insight.recording import EPISODES, RecordedSignals, Recording, recorded
from amble.rewards.engine import RewardEngine
from amble.training.policy_files import read_policy

_FACTORS = np.concatenate([[0.0], np.geomspace(0.01, 100.0, 81)])
"""What a weight is multiplied by, where its reach cannot be solved for."""


@dataclass(frozen=True)
class Scored:
    """Episodes under one reward.

    Attributes:
        returns: (E,)
        terms: label → (E,) what each term contributed; `terminal` among them.
        lengths: (E,) decisions, up to where a rule of the reward ends the episode.
        combine: sum or product; None for the environment's own reward, whose terms are not told apart.
    """

    returns: Float[np.ndarray, "E"]
    terms: dict[str, Float[np.ndarray, "E"]]
    lengths: np.ndarray
    combine: str | None


def score(recording: Recording, settings: RewardSettings | None, env_steps: int | None = None) -> Scored:
    """Pay a recording's episodes by a reward; None pays what the environment itself did.

    Args:
        recording: the episodes.
        settings: the reward.
        env_steps: where on its schedules the weights are taken; None for the end of the run.

    Raises:
        UsageError: a term or signal is not to be had; it names the nearest.
    """
    starts = recording.starts[:-1]
    lengths = np.diff(recording.starts)
    reference = recording.values["reward"].astype(np.float64)
    if settings is None:
        return Scored(np.add.reduceat(reference, starts), {}, lengths, None)
    engine = RewardEngine(settings, RecordedSignals(recording))
    engine.at(env_steps if env_steps is not None else 2**62)
    _, over = engine.judge(reference, recording.terminated)
    counted = np.ones(recording.decisions, bool)
    for index, start in enumerate(starts):
        rows = slice(start, start + lengths[index])
        ended = np.flatnonzero(over[rows])
        if len(ended):
            counted[start + ended[0] + 1 : rows.stop] = False
            lengths[index] = ended[0] + 1
    sums = np.add.reduceat(engine.ledger.now * counted, starts, axis=1)
    labels = engine.ledger.labels
    return Scored(sums[len(labels)], dict(zip(labels, sums, strict=False)), lengths, settings.combine)


def whatif(
    runs: Sequence[Path], edited: Path | str, *, episodes: int = EPISODES, seed: int = 0
) -> dict[str, Any]:
    """Re-score the recorded episodes of runs under an edited reward.

    Args:
        runs: directories of runs in the same environment; each is recorded first where it is not.
        edited: a YAML file with a `rewards` block, a run file, or a preset.
        episodes: recorded of each run, unless a recording like that is there.
        seed: of the episodes.

    Returns:
        `episodes`, best first under the edited reward: `run`, `episode`, `style`, `before`, `after`, `rank_before`;
        `terms`: label → `before`, `after`, `change`, means over the episodes (null where a side has no such term);
        `winner` and `winner_before`, of the groups (runs where there are several, else styles, else episodes);
        `weights`: label → `weight`, `from`, `to`, `decides`: the factors on it between which the winner stays.

    Raises:
        UsageError: there is no such run or file, a term or signal is not to be had, or the runs do not go together.
    """
    settings = load_rewards(edited)
    recordings = [recorded(run, episodes, seed) for run in runs]
    _together(runs, recordings)
    before = [
        score(recording, _own(run), _steps(recording))
        for run, recording in zip(runs, recordings, strict=True)
    ]
    after = [score(recording, settings) for recording in recordings]
    names = [Path(run).resolve().name for run in runs]
    styles = [_styles(recording) for recording in recordings]
    rows: list[dict[str, Any]] = []
    for name, recording, old, new, labels in zip(names, recordings, before, after, styles, strict=True):
        for index in range(recording.episodes):
            row = {"run": name, "episode": index, "style": labels[index]}
            rows.append({**row, "before": float(old.returns[index]), "after": float(new.returns[index])})
    kind, groups = _groups(rows)
    order_before = np.argsort([-row["before"] for row in rows], kind="stable")
    for rank, index in enumerate(order_before):
        rows[index]["rank_before"] = rank + 1
    old_returns, new_returns = (np.array([row[key] for row in rows]) for key in ("before", "after"))
    new_terms = {label: np.concatenate([one.terms[label] for one in after]) for label in after[0].terms}
    return {
        "edited": str(edited),
        "groups": kind,
        "winner_before": _winner(old_returns, groups),
        "winner": _winner(new_returns, groups),
        "episodes": sorted(rows, key=lambda row: -row["after"]),
        "terms": _changes(before, after),
        "weights": _reach(recordings, settings, new_returns, new_terms, groups),
    }


def _together(runs: Sequence[Path], recordings: Sequence[Recording]) -> None:
    first = recordings[0].about["env_id"]
    for run, recording in zip(runs, recordings, strict=True):
        if recording.about["env_id"] != first:
            raise UsageError(
                f"{run} is of {recording.about['env_id']}, and {runs[0]} of {first}: only runs in one environment are "
                "weighed against each other."
            )


def _own(run: Path) -> RewardSettings | None:
    """The reward that a run learned from; None for the environment's own."""
    _, spec = read_policy(Path(run) / "policy")
    block = spec["reward"].get("terms")
    return None if block is None else RewardSettings.model_validate(block)


def _steps(recording: Recording) -> int:
    return int(recording.about["env_steps"])


def _styles(recording: Recording) -> list[str]:
    if all(name in recording.signals for name in NEEDED):
        return [made.style for made in fingerprints(recording)]
    return [""] * recording.episodes


def _groups(rows: Sequence[dict[str, Any]]) -> tuple[str, list[str]]:
    """What is to win: runs if there are several, else styles if there are several, else single episodes."""
    for kind, names in (("run", [row["run"] for row in rows]), ("gait", [row["style"] for row in rows])):
        if len(set(names)) > 1:
            return kind, names
    return "episode", [f"episode {row['episode'] + 1}" for row in rows]


def _winner(returns: np.ndarray, groups: Sequence[str]) -> str:
    means = _means(returns, groups)
    return max(means, key=lambda group: means[group])


def _means(returns: np.ndarray, groups: Sequence[str]) -> dict[str, float]:
    names = np.array(groups)
    return {str(group): float(returns[names == group].mean()) for group in dict.fromkeys(groups)}


def _changes(before: Sequence[Scored], after: Sequence[Scored]) -> dict[str, dict[str, float | None]]:
    """Means of each term over all episodes, under either reward."""
    labels = list(dict.fromkeys(label for one in (*after, *before) for label in one.terms))
    result: dict[str, dict[str, float | None]] = {}
    for label in labels:
        old, new = (_mean([one.terms.get(label) for one in side]) for side in (before, after))
        change = None if old is None or new is None else new - old
        result[label] = {"before": old, "after": new, "change": change}
    return result


def _mean(parts: Sequence[np.ndarray | None]) -> float | None:
    there = [part for part in parts if part is not None]
    return float(np.concatenate(there).mean()) if there else None


def _reach(
    recordings: Sequence[Recording],
    settings: RewardSettings,
    returns: np.ndarray,
    terms: dict[str, np.ndarray],
    groups: Sequence[str],
) -> dict[str, dict[str, Any]]:
    """For each weight, the factors on it from 0 up between which the winner stays."""
    result: dict[str, dict[str, Any]] = {}
    winner = _winner(returns, groups)
    for block, labels in (("terms", settings.terms), ("penalties", settings.penalties)):
        for label, term in labels.items():
            if settings.combine == "sum" or block == "penalties":
                low, high = _linear_reach(
                    _means(returns - terms[label], groups), _means(terms[label], groups), winner
                )
            else:
                low, high = _swept_reach(recordings, settings, label, groups, winner)
            result[label] = {
                "weight": term.weight,
                "from": low,
                "to": high if np.isfinite(high) else None,
                "decides": low > 0.0 or bool(np.isfinite(high)),
            }
    return result


def _linear_reach(rest: dict[str, float], slope: dict[str, float], winner: str) -> tuple[float, float]:
    """The factors φ ≥ 0, around 1, with rest_w + φ·slope_w ≥ rest_g + φ·slope_g for every other group g."""
    low, high = 0.0, np.inf
    for group, others in rest.items():
        lead, pull = rest[winner] - others, slope[winner] - slope[group]
        if group == winner or pull == 0.0:
            continue
        even = -lead / pull
        if pull > 0:
            low = max(low, even)
        else:
            high = min(high, even)
    return low, high


def _swept_reach(
    recordings: Sequence[Recording], settings: RewardSettings, label: str, groups: Sequence[str], winner: str
) -> tuple[float, float]:
    """The same for a factor's exponent, by trying; on a grid up to a hundredfold."""
    stays = []
    for factor in _FACTORS:
        term = settings.terms[label]
        changed = term.model_copy(update={"weight": term.weight * float(factor)})
        tried = settings.model_copy(update={"terms": {**settings.terms, label: changed}})
        returns = np.concatenate([score(recording, tried).returns for recording in recordings])
        stays.append(_winner(returns, groups) == winner)
    at_one = int(np.argmin(np.abs(_FACTORS - 1.0)))
    below = next((i for i in range(at_one, -1, -1) if not stays[i]), None)
    above = next((i for i in range(at_one, len(_FACTORS)) if not stays[i]), None)
    return (
        0.0 if below is None else float(_FACTORS[below + 1]),
        np.inf if above is None else float(_FACTORS[above - 1]),
    )


def whatif_table(result: dict[str, Any]) -> str:
    """The result for a reader."""
    episodes, kind = result["episodes"], result["groups"]
    several = len({row["run"] for row in episodes}) > 1
    lines = [
        f"{kind} that wins: {result['winner']}"
        + (
            "  (as before)"
            if result["winner"] == result["winner_before"]
            else f"  (before: {result['winner_before']})"
        ),
        "",
    ]
    head = ["rank", "was", *(["run"] if several else []), "episode", "style", "before", "after"]
    body = [
        [
            str(rank), str(row["rank_before"]), *([row["run"]] if several else []), str(row["episode"] + 1),
            row["style"] or "–", f"{row['before']:.1f}", f"{row['after']:.1f}",
        ]
        for rank, row in enumerate(episodes, 1)
    ]  # fmt: skip
    lines += [*_aligned(head, body), ""]
    body = [
        [label, *("–" if row[key] is None else f"{row[key]:.1f}" for key in ("before", "after", "change"))]
        for label, row in result["terms"].items()
    ]
    lines += [*_aligned(["term, mean of an episode", "before", "after", "change"], body), ""]
    lines += [f"{label}: {_sentence(row, kind)}" for label, row in result["weights"].items()]
    return "\n".join(lines)


def _sentence(row: dict[str, Any], kind: str) -> str:
    weight, low, high = row["weight"], row["from"], row["to"]
    if not row["decides"]:
        return f"this weight ({weight:g}) never changes which {kind} wins, from 0 up."
    bounds = []
    if low > 0:
        bounds.append(f"below {weight * low:.3g}" if weight >= 0 else f"above {weight * low:.3g}")
    if high is not None:
        bounds.append(f"above {weight * high:.3g}" if weight >= 0 else f"below {weight * high:.3g}")
    return f"another {kind} wins where this weight ({weight:g}) is {' or '.join(bounds)}."


def _aligned(head: list[str], body: list[list[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    text = [
        not any(cell[:1].isdigit() or cell[:1] in "-–" for cell in column)
        for column in zip(*body, strict=True)
    ]
    return [
        "  ".join(
            f"{cell:<{width}}" if left else f"{cell:>{width}}"
            for cell, width, left in zip(row, widths, text, strict=True)
        ).rstrip()
        for row in [head, *body]
    ]


def as_json(result: dict[str, Any]) -> str:
    """The result as one JSON object."""
    return json.dumps(result, ensure_ascii=False)
