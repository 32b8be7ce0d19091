"""The run files that come with the package."""

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "presets"
_POLICIES = Path(__file__).parents[1] / "policies"


@dataclass(frozen=True)
class Preset:
    """A shipped run file: its name on the command line, what it is for, and where it is."""

    name: str
    description: str
    path: Path


def list_presets() -> list[Preset]:
    """All presets, by name. The description is the comment a preset starts with."""
    return [
        Preset(path.stem, _first_comment(path), path)
        for path in sorted(_FOLDER.glob("*.yaml"), key=lambda found: found.stem)
    ]


def shipped_policy(preset: str) -> Path | None:
    """The folder, laid out as a run's, of the trained policy that comes with a preset; None where none does."""
    folder = _POLICIES / preset
    return folder if (folder / "policy").is_dir() else None


def is_shipped(folder: Path) -> bool:
    """Whether a run's folder is one of the package's own, in which nothing is to be written."""
    return _POLICIES in Path(folder).resolve().parents


def _first_comment(path: Path) -> str:
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("#").strip() if first.startswith("#") else ""
