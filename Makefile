# Every target makes the virtual environment itself. Start with `make walker`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS := .venv-peers
PEERS_READY := $(PEERS)/.ready
BENCH_PEERS := .venv-bench-peers
BENCH_PEERS_READY := $(BENCH_PEERS)/.ready
MLAGENTS := .venv-mlagents
MLAGENTS_READY := $(MLAGENTS)/.ready
# What ML-Agents' trainer asks for is imported by no later Python than 3.8
PYTHON38 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.8.*/bin/python3) python3.8)
MLAGENTS_LEARN := .venv-mlagents-learn
MLAGENTS_LEARN_READY := $(MLAGENTS_LEARN)/.ready
DEMO := results/walker-demo

.PHONY: walker behaviours test test-peers test-unity-peers fuzz proto lint reproduce clean test-mlagents-learn
.PHONY: bench bench-lecture bench-walker bench-warnings bench-learning bench-ladder bench-spinup bench-gymnasium bench-a3c bench-learner bench-limit bench-scaling bench-peers bench-unity bench-exploration

walker: $(READY)  ## teach the Walker to run at its target: 20 minutes, then a film and the learning curve
	$(BIN)/amble train walker-demo --force
	@$(BIN)/amble plot $(DEMO)
	@$(BIN)/amble evaluate $(DEMO) --episodes 100
	@$(BIN)/amble play $(DEMO) --seconds 20 || true
	@echo
	@echo "Look at $(DEMO)/video.mp4 and $(DEMO)/curve.png. Twice as long a run gets further:"
	@echo "    $(BIN)/amble train walker"

behaviours: $(READY)  ## train the behaviours, three seeds each, and hold them to their names: 3 hours on one core
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/behaviours.py $(BEHAVIOURS_ARGS)

JOBS ?= 2
test: $(READY)  ## the test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-peers: $(PEERS_READY)  ## GAE, TRPO and PPO against Stable-Baselines3's, in a virtual environment that has it
	$(PEERS)/bin/python -m pytest tests/peers

test-unity-peers: $(READY) $(MLAGENTS_READY)  ## ML-Agents' own Python package trains against `amble serve`'s environments
	AMBLE_PYTHON=$(BIN)/python PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python \
		$(MLAGENTS)/bin/python -m pytest -c /dev/null --rootdir . -q -p no:cacheprovider --disable-warnings tests/unity_peers

test-mlagents-learn: $(READY) $(MLAGENTS_LEARN_READY)  ## `mlagents-learn` 0.28.0, unmodified, learns `amble serve 3dball`; needs Python 3.8
	AMBLE_PYTHON=$(BIN)/python \
		$(MLAGENTS_LEARN)/bin/python -m pytest -c /dev/null --rootdir . -q -p no:cacheprovider --disable-warnings \
		tests/unity_peers/test_learn.py

fuzz: $(READY)  ## 10,000 spoilt messages to both ends of Unity's wire
	AMBLE_FUZZ_CASES=10000 $(BIN)/python -m pytest tests/unity/test_fuzz.py

proto: $(READY)  ## compile the messages of Unity's wire anew
	cd src && ../$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. amble/unity/protocol/*.proto

lint: $(READY)  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(READY)  ## where the time of a Walker iteration goes
	$(BIN)/python benchmarks/walker_speed.py

bench-warnings: $(READY)  ## a million random decisions of each Walker without a MuJoCo warning
	$(BIN)/python benchmarks/walker_warnings.py

bench-learning: $(READY)  ## CartPole, Pendulum and 3DBall: five seeds of each preset
	$(BIN)/python benchmarks/learning.py presets

bench-ladder: $(READY)  ## every trainer and estimator, a task for memory and one for eyes: five seeds of each
	$(BIN)/python benchmarks/learning.py cartpole pendulum ladder nets

bench-exploration: $(READY)  ## a reward that chance does not find, with and without RND and curiosity: five seeds of each
	$(BIN)/python benchmarks/learning.py exploration

bench-gymnasium: $(READY)  ## Gymnasium's MuJoCo tasks: physics alone, our environment step, Gymnasium's own
	$(BIN)/python benchmarks/gymnasium_speed.py

bench-a3c: $(READY)  ## A3C: env steps a second with one worker and with two, and what sharing costs
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/a3c_throughput.py

bench-learner: $(READY)  ## gradient steps and whole training loops by the fused learner and by torch
	$(BIN)/python benchmarks/learner_speed.py

bench-limit: $(READY)  ## what physics and matrix products alone would take here, and our share of it: 5 minutes
	$(BIN)/python benchmarks/limit.py

bench-scaling: $(READY)  ## steps a second per number of environments and per width, as a picture: 10 minutes
	$(BIN)/python benchmarks/scaling.py

bench-lecture: $(READY)  ## the lecture's run file as it stands, in ML-Agents' dialect and in ours, 3 million decisions: 45 minutes of one core
	OMP_NUM_THREADS=1 $(BIN)/amble compare benchmarks/lecture.yaml --vary hyperparameters.dialect=amble,ml-agents --seeds 1 --max-steps 3e6 --out results/lecture

bench-walker: $(READY)  ## how soon the Walker walks: five seeds of 7.3 million decisions, every checkpoint evaluated: 2 hours
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/walker_learning.py $(ARGS)

bench-spinup: $(READY)  ## Spinning Up's PPO on HalfCheetah: five seeds of a million steps
	$(BIN)/python benchmarks/spinup_halfcheetah.py

bench-unity: $(READY) $(MLAGENTS_READY)  ## decisions a second over Unity's wire, beside ML-Agents' own Python package: 4 minutes
	$(BIN)/python benchmarks/unity_speed.py

TASK ?= HalfCheetah-v5
TRAINER ?= ppo
reproduce: $(READY)  ## a cell of the README's table of returns: make reproduce TASK=Hopper-v5 TRAINER=trpo
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reproduce.py $(TASK) --trainer $(TRAINER) $(ARGS)

bench-peers: $(BENCH_PEERS_READY)  ## whole training loops beside Stable-Baselines3, rsl_rl and skrl (options in PEERS_ARGS): 1 hour
	PYTHONPATH=benchmarks $(BENCH_PEERS)/bin/python -m peers $(PEERS_ARGS)

clean:
	rm -rf $(VENV) $(PEERS) $(BENCH_PEERS) $(MLAGENTS) $(MLAGENTS_LEARN) .pytest_cache .ruff_cache

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[video,compare,dev]'
	touch $@

$(PEERS_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,peers]'
	touch $@

$(BENCH_PEERS_READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH_PEERS)
	$(BENCH_PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench-peers,compare]'
	touch $@

# ML-Agents 0.28 asks for torch < 1.9 and numpy < 2, which Python 3.11 does not have, so it is installed without its
# needs and they are chosen here: protobuf 3.20 (the last whose messages' code it can load, in pure Python on 3.11);
# numpy 2 (1.24 to 1.26 lack the np.bool that it uses, 2 has one again); any gRPC.
$(MLAGENTS_READY):
	$(PYTHON) -m venv $(MLAGENTS)
	$(MLAGENTS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps mlagents_envs==0.28.0
	$(MLAGENTS)/bin/python -m pip install --quiet --disable-pip-version-check -c benchmarks/constraints-mlagents.txt \
		protobuf numpy grpcio Pillow pyyaml cloudpickle pytest
	touch $@

# With all that it asks for, torch 1.8.1 (0.8 GB) among it. Its own limits leave open protobuf (its messages' code is
# refused from 3.21 on), numpy (1.24 has no np.bool) and six, which torch 1.8 imports and does not ask for.
$(MLAGENTS_LEARN_READY):
	@$(PYTHON38) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 8))' || \
		{ echo "Python 3.8 is needed, and $(PYTHON38) is none: make test-mlagents-learn PYTHON38=/path/to/python3.8"; exit 1; }
	$(PYTHON38) -m venv $(MLAGENTS_LEARN)
	$(MLAGENTS_LEARN)/bin/python -m pip install --quiet --disable-pip-version-check \
		-c benchmarks/constraints-mlagents-learn.txt mlagents six pytest
	touch $@
