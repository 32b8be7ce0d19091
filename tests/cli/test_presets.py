"""`amble presets` lists each preset with its description."""

import pytest

from amble.cli import main
from amble.config import list_presets


def test_each_preset_and_its_description(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["presets"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [preset.name for preset in list_presets()]
    for line, preset in zip(lines, list_presets(), strict=True):
        assert line.endswith(preset.description)
