"""What holds for every test: numbers are computed on one thread, here and in child processes."""

import os

# Before anything imports torch: tests share the machine, and their matrices are small.
os.environ["OMP_NUM_THREADS"] = "1"
