"""The folder of a comparison: one run file a variant, one run a seed of it, and which of them are finished."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from amble.config import to_yaml
from amble.errors import UsageError
from amble.insight.variants import Run, Variant
from amble.training.files import DamagedFileError, named_os_errors, read_json, write_file

FINISHED = ("done", "time_limit")
"""How a run ends that has used up its budget."""


def default_folder(first: Variant, contents: Sequence[str]) -> Path:
    """The same for the same comparison, so that the same command goes on with it."""
    mark = hashlib.sha256("\n".join(contents).encode()).hexdigest()[:6]
    return Path("results") / f"compare-{Variant(first.config.env_id, first.config).slug}-{mark}"


def settings_text(side: Variant, folder: Path) -> str:
    """The run file of a variant, that its seeds share."""
    given = side.config.checkpoint_settings
    changed = {"results_dir": str(folder), "run_id": side.slug, "resume": False, "force": False}
    if given.initialize_from is not None:
        # A run's id means one below the results_dir it was said for, which is another now.
        source = Path(given.results_dir) / given.initialize_from
        if (source / "run.yaml").is_file():
            changed |= {"initialize_from": None, "branch_from": f"{source}@latest"}
    own = given.model_copy(update=changed)
    world = side.config.env_settings.model_copy(update={"seed": 0})
    return to_yaml(side.config.model_copy(update={"checkpoint_settings": own, "env_settings": world}))


def write_settings(sides: Sequence[Variant], folder: Path) -> None:
    """Writes `SLUG.yaml` of each variant; refuses a folder in which that variant was trained with other settings."""
    texts = {folder / f"{side.slug}.yaml": settings_text(side, folder) for side in sides}
    for path, text in texts.items():
        if path.is_file() and path.read_text(encoding="utf-8") != text:
            before, now = path.read_text(encoding="utf-8").splitlines(), text.splitlines()
            changed = [line.strip() for line in now if line not in before] or ["a key is gone"]
            raise UsageError(
                f"{path}: this variant was begun with other settings (now `{'`, `'.join(changed[:3])}`), and its runs "
                "would not be comparable. Give another --out, or delete that folder."
            )
    with named_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path, text in texts.items():
        write_file(path, text)


def is_complete(run: Run) -> bool:
    """Whether the run has used up its budget, and left a policy."""
    if not ((run.path / "summary.json").is_file() and (run.path / "policy").is_dir()):
        return False
    with contextlib.suppress(DamagedFileError):
        return read_json(run.path / "summary.json").get("exit_reason") in FINISHED
    return False
