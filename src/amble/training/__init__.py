"""A run: collecting, the loop over iterations, checkpoints, the run's directory, its log and its display."""
