"""PPO's minibatch loop compiled: forward, loss, backward, gradient clip and Adam over one flat float32 vector.

Torch spends most of a small network's minibatch on starting a few hundred operations; here nothing is started.
`docs/performance.md` has the figures. From the outside in:

| file | what |
|---|---|
| `epochs.py` | what PPO calls for an epoch: hands torch's tensors over, takes the figures back |
| `layout.py` | torch's parameters and Adam's moments as views of flat vectors |
| `epoch.py` | the compiled loop over minibatches |
| `network.py`, `activations.py` | forward and backward of the layers |
| `losses.py`, `heads.py` | the equations of `amble.maths` with their derivatives, each a small function |
| `adam.py` | the gradient's norm and the step |
| `compiled.py`, `blas.py` | how all of it is compiled, and how many threads a matrix product gets |

Only `epochs.py` is imported from outside of this folder, and only once a run has chosen it: numba takes half a second.
"""
