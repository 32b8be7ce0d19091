import io
import os
import pty
import re
import subprocess
import sys

import pytest

from amble.training.progress import Progress, count, duration, plain_line, sparkline


def row(iteration, **more):
    return {
        "iteration": iteration,
        "env_steps": 1000 * iteration,
        "wall_seconds": 2.0 * iteration,
        "steps_per_second": 500.0,
        "collect_seconds": 1.5,
        "update_seconds": 0.5,
        "return_mean": 10.0 * iteration,
        "return_std": 2.5,
        "length_mean": 100.0,
        "episodes": 3,
        **more,
    }


class TestPlain:
    def test_the_first_row_at_once_then_one_in_an_interval_and_the_last(self):
        stream = io.StringIO()
        with Progress("Walker", 100_000, stream=stream, interval=10.0) as progress:
            progress.start(["training Walker", "writing to results/walker"])
            progress.update(row(1))
            assert stream.getvalue().count("Step:") == 1
            for iteration in range(2, 9):
                progress.update(row(iteration))
        lines = stream.getvalue().splitlines()
        assert lines[:2] == ["training Walker", "writing to results/walker"]
        assert [re.search(r"Step: (\d+)", line)[1] for line in lines[2:]] == ["1000", "6000", "8000"]
        assert "\x1b" not in stream.getvalue()

    def test_a_line_whenever_so_many_steps_have_passed(self):
        stream = io.StringIO()
        with Progress("Walker", 100_000, stream=stream, interval=1e9, every_steps=3000) as progress:
            for iteration in range(1, 9):
                progress.update(row(iteration))
        assert re.findall(r"Step: (\d+)", stream.getvalue()) == ["1000", "3000", "6000", "8000"]

    def test_a_run_without_an_end(self):
        stream = io.StringIO()
        with Progress("Walker", None, stream=stream) as progress:
            progress.update(row(1))
            assert progress.seconds_left() is None
            assert progress._headline(80).plain == "Walker 1000 steps"
        assert "Left:" not in stream.getvalue()

    def test_stopping_twice_says_nothing_twice(self):
        stream = io.StringIO()
        progress = Progress("Walker", 100_000, stream=stream)
        progress.update(row(1))
        progress.stop()
        progress.stop()
        assert stream.getvalue().count("\n") == 1

    def test_a_line_begins_as_ml_agents_has_it(self):
        assert plain_line("Walker", row(2), 61.0) == (
            "Walker. Step: 2000. Time Elapsed: 4.0 s. Mean Reward: 20.000. Std of Reward: 2.500. "
            "Episode Length: 100. Steps/s: 500. Left: 1 min 1 s."
        )

    def test_a_line_without_an_episode(self):
        line = plain_line(
            "Walker", row(2, return_mean=None, return_std=None, length_mean=None, steps_per_second=None)
        )
        assert line == "Walker. Step: 2000. Time Elapsed: 4.0 s. No episode was completed since last summary."

    def test_colour_forced_by_the_environment_does_not_draw_into_a_pipe(self, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        stream = io.StringIO()
        with Progress("Walker", 100, stream=stream) as progress:
            progress.start()
            progress.update(row(1))
        assert "\x1b" not in stream.getvalue()

    def test_a_stream_without_unicode_is_no_reason_to_fail(self):
        raw = io.BytesIO()
        with Progress("Läufer", 100, stream=io.TextIOWrapper(raw, encoding="ascii")) as progress:
            progress.message("stopping…")
            progress.update(row(1))
        assert raw.getvalue().startswith(b"stopping?\nL?ufer. Step: 1000.")

    def test_a_reader_that_goes_away_does_not_end_the_run(self):
        code = (
            "import time\nfrom amble.training.progress import Progress\n"
            "with Progress('Walker', 10, interval=0.0) as p:\n"
            "    for i in range(50):\n"
            "        p.update({'env_steps': i, 'wall_seconds': float(i)}); time.sleep(0.002)\n"
            "print('more', flush=True)\n"
            "import os; os.write(2, b'finished')\n"
        )
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        child.stdout.readline()
        child.stdout.close()
        errors = child.stderr.read().decode()
        child.stderr.close()
        assert child.wait(20) == 0
        assert errors.endswith("finished")
        assert errors.count("no longer shown") == 1
        assert "Traceback" not in errors

    def test_a_stream_that_fails_is_left_alone_after(self, caplog):
        class Failing(io.StringIO):
            def write(self, text):
                raise OSError(5, "Input/output error")

        with Progress("Walker", 100, stream=Failing(), interval=0.0) as progress:
            progress.start(["one", "two"])
            progress.update(row(1))
        assert caplog.text.count("no longer shown (Input/output error)") == 1


class TestTimeLeft:
    def left(self, *rows, total=10_000, time_limit=None):
        progress = Progress("Walker", total, time_limit, stream=io.StringIO())
        for each in rows:
            progress.update(each)
        return progress.seconds_left()

    def test_unknown_before_the_first_row(self):
        assert self.left() is None

    def test_by_the_row_s_own_speed_at_first(self):
        assert self.left(row(1)) == (10_000 - 1000) / 500

    def test_by_the_speed_of_late(self):
        # From 2 s to 4 s it took 4000 steps: 2000 a second, with 5000 to go.
        assert self.left(row(1), {**row(2), "env_steps": 5000}) == 2.5

    def test_old_speed_is_forgotten(self):
        # The first 60 s made 10 steps a second; of late it is 100 a second, over at least 30 s.
        rows = [{**row(i), "wall_seconds": 10.0 * i, "env_steps": 100 * i} for i in range(7)]
        rows += [{**row(i), "wall_seconds": 60.0 + 10 * i, "env_steps": 600 + 1000 * i} for i in range(1, 6)]
        assert self.left(*rows) == pytest.approx((10_000 - 5600) / 100)

    def test_the_time_limit_if_that_is_sooner(self):
        assert self.left(row(1), time_limit=7.0) == 5.0
        assert self.left(row(1), time_limit=1000.0) == 18.0
        assert self.left(row(1), time_limit=1.0) == 0.0

    def test_without_speed_it_is_unknown(self):
        assert self.left(row(1, steps_per_second=None)) is None


DRIVE = """
import sys
from amble.training.progress import Progress
from tests_row import row
with Progress("Walker", 10_000, time_limit=60.0) as progress:
    progress.start(["training Walker"])
    for iteration in range(1, 8):
        mean = None if iteration < 2 else 10.0 * iteration
        progress.update(row(iteration, kl=0.0123, entropy=1.5, return_mean=mean))
        if iteration == 4:
            progress.message("a message")
    {end}
"""


def in_terminal(tmp_path, end, columns, term="xterm-256color"):
    """What a program shows in a terminal of `columns`, and its status."""
    (tmp_path / "tests_row.py").write_text(
        "import sys\nsys.path.insert(0, " + repr(os.path.dirname(__file__)) + ")\n"
        "from test_progress import row\n"
    )
    (tmp_path / "drive.py").write_text(DRIVE.replace("{end}", end))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": term, "COLUMNS": str(columns), "LINES": "24", "PYTHONUTF8": "1"}
    child = subprocess.Popen(
        [sys.executable, tmp_path / "drive.py"], stdout=theirs, stderr=subprocess.PIPE, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    errors = child.stderr.read().decode()
    child.stderr.close()
    return shown.decode(), child.wait(20), errors


def screen(shown):
    """The lines left standing; follows carriage return, cursor up and erase line, which is all there is."""
    lines, at, column = [""], 0, 0
    for token in re.finditer(r"\x1b\[(\??\d*(?:;\d+)*)([A-Za-z])|\r|\n|[^\x1b\r\n]+", shown):
        text = token.group()
        if text == "\r":
            column = 0
        elif text == "\n":
            at += 1
            if at == len(lines):
                lines.append("")
        elif text.startswith("\x1b"):
            number, letter = token.group(1), token.group(2)
            if letter == "A":
                at -= int(number or 1)
            elif letter == "K":
                lines[at] = ""
            else:
                assert letter in "mhl", text
        else:
            lines[at] = lines[at][:column].ljust(column) + text + lines[at][column + len(text) :]
            column += len(text)
    return [line.rstrip() for line in lines if line.strip()]


class TestTerminal:
    def test_the_display(self, tmp_path):
        shown, status, errors = in_terminal(tmp_path, "pass", 80)
        assert (status, errors) == (0, "")
        lines = screen(shown)
        assert lines[:2] == ["training Walker", "a message"]
        assert re.fullmatch(r"Walker ━+[╸╺]?━*\s+70 %  7000 of 10 k steps", lines[2])
        assert lines[3] == "14 s · 6.0 s left · 500 steps/s · collect 75 % update 25 %"
        assert lines[4] == "return 70.00 ± 2.50  ▁▂▄▅▇█"
        assert lines[5] == "length 100.0   kl 0.0123   entropy 1.50"
        assert len(lines) == 6
        assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back

    @pytest.mark.parametrize("columns", [20, 33, 50, 120])
    def test_no_line_is_wider_than_the_terminal(self, tmp_path, columns):
        shown, status, _ = in_terminal(tmp_path, "pass", columns)
        assert status == 0
        lines = screen(shown)
        assert len(lines) == 6
        assert max(map(len, lines)) <= columns

    @pytest.mark.parametrize(("end", "status"), [("raise SystemExit(3)", 3), ("raise KeyboardInterrupt", -2)])
    def test_the_terminal_is_left_clean_after_an_exception(self, tmp_path, end, status):
        shown, found, _ = in_terminal(tmp_path, end, 80)
        assert found == status
        assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
        assert shown.endswith(("\n", "\x1b[?25h"))

    def test_a_dumb_terminal_gets_lines(self, tmp_path):
        shown, _, _ = in_terminal(tmp_path, "pass", 80, term="dumb")
        assert "\x1b" not in shown
        assert "Walker. Step: 7000." in shown


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.0, "0.0 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.6, "1 min 0 s"),
            (724, "12 min 4 s"),
            (3599.6, "1 h 0 min"),
            (11100, "3 h 5 min"),
            (187_200, "2 d 4 h"),
        ],
    )
    def test_durations(self, seconds, text):
        assert duration(seconds) == text

    @pytest.mark.parametrize(
        ("number", "text"),
        [(0, "0"), (9999, "9999"), (20480, "20.5 k"), (8.2e6, "8.2 M"), (2e7, "20 M"), (1.5e9, "1.5 G")],
    )
    def test_counts(self, number, text):
        assert count(number) == text

    @pytest.mark.parametrize(
        ("values", "width", "text"),
        [
            ([], 5, ""),
            ([1.0], 5, "▁"),
            ([2.0, 2.0], 5, "▁▁"),
            ([0.0, 7.0], 5, "▁█"),
            ([0.0, 2.0, 6.0, 8.0], 2, "▁█"),
            ([1.0, 2.0], 0, ""),
        ],
    )
    def test_sparklines(self, values, width, text):
        assert sparkline(values, width) == text
