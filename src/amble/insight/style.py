"""How our pictures look, and how they reach the disk."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.style import context

from amble.errors import UsageError
from amble.training.files import named_os_errors

INK, GREY, GRID = "#1f2933", "#6b7785", "#e4e8ec"
STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
}


def write_png(draw: Callable[[], Figure], output: Path) -> Path:
    """Draws in our style and writes `output` in one step; returns it.

    Raises:
        UsageError: `output` does not end in .png.
        AmbleError: it cannot be written.
    """
    if output.suffix.lower() != ".png":
        raise UsageError(f"{output}: curves are drawn as PNG; name a file that ends in .png.")
    with context(["default", STYLE]):
        canvas = FigureCanvasAgg(draw())
        temporary = output.with_name(f".tmp-{output.name}")
        with named_os_errors(output):
            try:
                canvas.print_png(temporary)
                temporary.replace(output)
            finally:
                temporary.unlink(missing_ok=True)
    return output
