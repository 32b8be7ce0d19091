"""Unity ML-Agents' wire protocol, both ends of it: a trainer's, and an environment's.

The trainer serves and the environment calls; every call carries the records of the agents that ask for a decision,
its answer their actions.

| file | |
|---|---|
| `protocol/` | the messages, and the code compiled from them |
| `spec.py`, `steps.py` | what a behaviour observes and does; the agents of one message as arrays |
| `decode.py`, `encode.py`, `png.py` | records into arrays, arrays into records, pictures |
| `channels.py` | side channels: engine, environment parameters, statistics, custom ones |
| `server.py`, `session.py`, `launch.py` | the trainer's end: the socket, the conversation, the build's process |
| `demonstrations.py` | files of recorded agents |
| `client.py`, `scene.py` | the environment's end: the conversation, and what a scene of agents must be able to do |

Nothing of gRPC and protobuf is imported before a session is made.
"""

import os

# Else gRPC's threads wake in whatever process is started beside a session, ffmpeg's for one, and write into its output.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
