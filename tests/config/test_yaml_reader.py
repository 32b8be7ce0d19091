"""YAML in: the right types, the right lines, and nothing dangerous."""

import math

import pytest

from amble.config.yaml_reader import plain_scalar, read_document
from amble.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 0.0003),  # text in PyYAML, which ML-Agents reads with
        ("5e5", 500000.0),
        ("-.5e3", -500.0),
        ("1.", 1.0),
        ("1_000", 1000),
        ("012", 12),
        ("0x10", 16),
        ("-7", -7),
        ("true", True),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("nan", "nan"),
    ],
)
def test_plain_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read = plain_scalar(text)
    assert read == value
    assert type(read) is type(value)


def test_infinity_and_nan_have_dots() -> None:
    assert plain_scalar("-.inf") == -math.inf
    assert math.isnan(plain_scalar(".nan"))  # type: ignore[arg-type]


def test_a_quoted_number_stays_a_text() -> None:
    assert read_document("a: '3e-4'\nb: \"1\"", "f").values == {"a": "3e-4", "b": "1"}


def test_each_key_knows_its_line() -> None:
    document = read_document("# comment\na:\n  b: 1\n\n  c: {d: 2}\ne: [3,\n  4]\n", "f")
    assert document.values == {"a": {"b": 1, "c": {"d": 2}}, "e": [3, 4]}
    assert document.lines[("a", "b")] == 3
    assert document.lines[("a", "c", "d")] == 5
    assert document.lines[("e", "1")] == 7


def test_anchors_and_merge_keys_are_filled_in_and_the_block_itself_wins() -> None:
    document = read_document("a: &base {x: 1, y: 2}\nb:\n  <<: *base\n  y: 3\n", "f")
    assert document.values["b"] == {"x": 1, "y": 3}


_LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a:\n  b: 1\n  b: 2",
            r"^f\.yaml, line 3: the key `a\.b` is given twice, first on line 2; remove one",
        ),
        (
            "a: 1\nb: !!python/object/apply:os.system [ls]",
            r"line 2: the YAML tag `!!python/object/apply:os\.system`",
        ),
        ("a: !local 1", r"line 1: the YAML tag `!local` is refused"),
        ("", "holds nothing"),
        ("- a\n- b", "is a mapping of keys such as `behaviors:`, but this holds a list"),
        ("hello", "but this holds the text 'hello'"),
        ("a: 1\nb: [1, 2", r"^f\.yaml, line 2: this is not valid YAML: expected ',' or '\]'"),
        ("a: 1\n---\nb: 1", "line 2: this is not valid YAML: but found another document"),
        ("a: *nowhere", "found undefined alias 'nowhere'"),
        ("a: &a [*a]", r"an alias \(`\*name`\) contains itself"),
        ("? [1, 2]\n: 3", "line 1: a key is a list or a block; keys are names"),
        ("a: \x07", "not valid YAML: unacceptable character"),
        ("[" * 5000, "nested more than 32 levels"),
        ("a: " + "x" * 1_000_001, "more than 1000000 characters"),
        (_LAUGHS, "more than 20000 values once aliases are filled in"),
        ("a: {<<: 3}", "`<<` needs a mapping"),
    ],
)
def test_what_is_refused_and_how_it_is_said(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_document(text, "f.yaml")
