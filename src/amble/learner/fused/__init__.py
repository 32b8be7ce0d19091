"""Gradient steps compiled: forward, loss, backward, gradient clip and Adam over one flat float32 vector.

Torch spends most of a small network's minibatch on starting a few hundred operations; here nothing is started.
`docs/performance.md` has the figures. From the outside in:

| file | what |
|---|---|
| `epochs.py`, `steps.py` | what PPO calls for an epoch, A2C and PG for a step, PG to fit its critics |
| `acting.py` | what the collector calls for a decision |
| `handover.py`, `layout.py`, `arrays.py` | torch's samples, parameters and Adam's moments as flat arrays, not copied |
| `epoch.py`, `policy_gradient.py`, `fit.py`, `act.py` | compiled: an epoch, a step, a critic's fit, a decision |
| `gradient.py` | what the losses have in common |
| `network.py`, `layer_norm.py`, `activations.py` | forward and backward of the layers |
| `losses.py`, `heads.py` | the equations of `amble.maths` with their derivatives, each a small function |
| `adam.py` | the gradient's norm and the step |
| `parts.py`, `blas.py` | large minibatches shared among threads, and how many a matrix product gets |

How all of it is compiled is `amble.native.compiled`'s.

Only `epochs.py`, `steps.py` and `acting.py` are imported from outside of this folder, and only once a run has chosen
it: numba takes half a second.
"""
