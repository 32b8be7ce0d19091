import sys
from pathlib import Path

# `toys:Countdown-v0` is found as a user's own module would be, by its directory.
sys.path.insert(0, str(Path(__file__).parent))
