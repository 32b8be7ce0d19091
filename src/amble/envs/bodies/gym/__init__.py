"""Gymnasium's MuJoCo tasks (v5), B at a time in one `mujoco.batch.Batch`: a drop-in for Gymnasium's own.

`base` is what they share, `contact` computes contact forces, and a task is a small class: its observation, its
reward, its end and its options, which are Gymnasium's. `amble.envs.make` takes them for every id registered with
one of Gymnasium's classes (the table is in `envs/backends/array.py`). To add a task of your own, read `planar.py`:
a model file, `_advance` and `_first_states` are enough.
"""
