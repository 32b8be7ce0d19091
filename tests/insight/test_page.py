"""The page of made-up results: all there, well-formed, escaped, and nothing loaded from anywhere."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from amble.config import RewardSettings
from amble.insight.gait import Fingerprint
from amble.insight.looks import TASK, Footfalls, Look
from amble.insight.measures import FIGURES, Measured
from amble.insight.page import Sheet, Side, page, write_page
from amble.insight.page_charts import Line, _air, _joined, bar, curves

VOID = {"meta", "link", "br", "source"}
REWARDS = RewardSettings.model_validate(
    {
        "terms": {"lift": {"weight": 2.0}},
        "penalties": {"energy": {"weight": 1.0, "schedule": [[0, 0], [9, 0.5]]}},
        "fall_reward": -1.0,
    }
)


class Balanced(HTMLParser):
    """Fails at a tag that is closed and was not open; keeps the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """`<line …/>` opens and closes itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def a_side(name: str, index: int, reward: str, *, speed: float = 1.5) -> Side:
    gait = {
        "style": "walk", "styles": {"walk": 3, "limp": 1},
        "mean": {figure.key: speed for figure in FIGURES}, "episodes": [],
    }  # fmt: skip
    steps = Footfalls([(0.0, 0.7), (1.0, 0.7)], [(0.5, 0.7), (1.5, 0.5)], 2.0)
    look = Look(Path(name), gait, {"A": 10.0, TASK: 5.0}, {"lift": 12.0, "energy": -2.0}, steps)
    grid = np.linspace(0, 1e6, 20)
    line = Line(name, index, grid, grid / 1e4, grid / 2e4, grid / 5e3)
    ledger = {
        "lift": Measured(12.0, (11.0, 13.0)),
        "energy": Measured(-2.0, None),
        "terminal": Measured(-0.5, None),
    }
    return Side(name, reward, REWARDS, [look], ledger, line, line)


def a_sheet() -> Sheet:
    cross = {
        "A": {"A": Measured(10.0, (9.0, 11.0)), TASK: Measured(5.0, None)},
        "<b>&": {"A": Measured(4.0, (3.0, 5.0)), TASK: Measured(None, None)},
    }
    return Sheet(
        title="A against <b>&",
        facts=["Two variants."],
        verdict="no winner: nobody",
        sides=[a_side("A", 0, "A"), a_side("<b>&", 1, "B")],
        columns=["A", TASK],
        cross=cross,
        said=["A is paid most."],
        notes=["a < b"],
        film=(b"film", b"still"),
        seen="One seed.",
    )


def parsed(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_all_of_it_is_there() -> None:
    text = parsed(page(a_sheet())).text
    for word in (
        "A against <b>&", "Two variants.", "Learning curves", "no winner: nobody", "Ledger of terms", "−0.5",
        "falls and other ends", "How they go", "75 % of episodes", "Every policy by every reward", "[9.0, 11.0]",
        "A is paid most.", "Footfalls", "a < b", "One seed.",
    ):  # fmt: skip
        assert word in text


def test_it_needs_nothing_else() -> None:
    text = page(a_sheet())
    assert not re.search(r"https?:|<script|@import|url\(", text)
    sources = re.findall(r'(?:src|href|poster)="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert 'src="data:video/mp4;base64,ZmlsbQ=="' in text  # b"film"
    assert "<b>&" not in text


def test_heat_is_by_column_and_ones_own_is_framed() -> None:
    cells = re.findall(
        r'<td( class="own")? style="background:color-mix\(in srgb, var\(--heat\) (\d+)%', page(a_sheet())
    )
    assert cells == [(' class="own"', "55"), ("", "0"), ("", "0"), ("", "0")]


def test_without_rewards_of_terms_there_are_curves_and_no_more() -> None:
    sheet = a_sheet()
    plain = [replace(side, rewards=None, looks=[], ledger={}, reward=TASK) for side in sheet.sides]
    text = parsed(page(replace(sheet, sides=plain, cross={}, film=None, notes=[]))).text
    assert "Learning curves" in text
    for word in ("Ledger", "How they go", "Every policy", "Footfalls", "Notes", "Each by its own"):
        assert word not in text


def test_a_chart_without_a_finished_episode_says_so() -> None:
    empty = Line("x", 0, np.empty(0), np.empty(0))
    assert "no episode has ended" in curves([empty], "x")
    level = Line("x", 0, np.array([0.0, 10.0]), np.array([3.0, 3.0]))
    assert "NaN" not in curves([level], "x")
    assert "nan" not in curves([level], "x")


def test_a_bar_ends_where_its_value_does() -> None:
    assert 'class="plus" x="60.0" y="2" width="29.0"' in bar(
        0.5, (-1.0, 1.0)
    )  # a quarter of 116, from the middle
    assert 'class="minus" x="2.0" y="2" width="58.0"' in bar(-2.0, (-1.0, 1.0))  # no further than the edge
    assert 'class="plus" x="2.0" y="2" width="58.0"' in bar(0.5, (0.0, 1.0))
    assert 'width="0.0"' in bar(0.0, (0.0, 0.0))


def test_footfalls_that_touch_are_one_and_air_is_what_is_left() -> None:
    assert _joined([(0.0, 0.5), (0.5, 0.25), (1.0, 0.5)]) == [(0.0, 0.75), (1.0, 0.5)]
    assert _air(Footfalls([(0.0, 0.5)], [(0.25, 0.5)], 1.0)) == [pytest.approx((0.75, 0.25))]


def test_it_is_written_whole(tmp_path: Path) -> None:
    path = write_page(a_sheet(), tmp_path / "comparison.html")
    assert path.read_text(encoding="utf-8") == page(a_sheet())
    assert [entry.name for entry in tmp_path.iterdir()] == ["comparison.html"]


def test_the_fingerprint_is_shown_in_its_units() -> None:
    keys = Fingerprint.__dataclass_fields__
    assert all(figure.key in keys for figure in FIGURES)
    assert ">150 <" in page(a_sheet()) or ">150<" in page(a_sheet())  # a share of 1.5 as percent
