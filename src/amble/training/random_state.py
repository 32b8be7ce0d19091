"""States of random generators as JSON and back: the next draw after a resume is the one that was due."""

from typing import Any

import numpy as np
import torch

from amble.errors import AmbleError

_BIT_GENERATORS = {
    cls.__name__: cls
    for cls in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64)
}


def numpy_rng_to_json(rng: np.random.Generator) -> dict[str, Any]:
    """The state of `rng`, and its place in the tree of seeds, so that later `rng.spawn` calls agree too."""
    state: dict[str, Any] = {"bit_generator_state": _lists(rng.bit_generator.state)}
    seed = rng.bit_generator.seed_seq
    if isinstance(seed, np.random.SeedSequence):
        state["seed_sequence"] = {
            "entropy": seed.entropy.tolist()
            if isinstance(seed.entropy, np.ndarray)
            else _lists(seed.entropy),
            "spawn_key": [int(key) for key in seed.spawn_key],
            "pool_size": int(seed.pool_size),
            "n_children_spawned": int(seed.n_children_spawned),
        }
    return state


def numpy_rng_from_json(state: dict[str, Any]) -> np.random.Generator:
    """A generator that goes on where the one given to `numpy_rng_to_json` stood.

    Raises:
        AmbleError: `state` is no such state.
    """
    try:
        raw = state["bit_generator_state"]
        cls = _BIT_GENERATORS[raw["bit_generator"]]
        seed = state.get("seed_sequence")
        bits = cls(np.random.SeedSequence(**{**seed, "spawn_key": tuple(seed["spawn_key"])}) if seed else 0)
        bits.state = _arrays(raw)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise AmbleError(f"not the state of a numpy generator: {error!r}") from error
    return np.random.Generator(bits)


def torch_rng_to_json(rng: torch.Generator) -> dict[str, str]:
    """The state of `rng` (`torch.default_generator` is torch's global one): its device, and bytes as hex."""
    return {"device": str(rng.device), "state": bytes(rng.get_state().tolist()).hex()}


def restore_torch_rng(rng: torch.Generator, state: dict[str, Any]) -> None:
    """Sets `rng` to a state of `torch_rng_to_json`.

    Raises:
        AmbleError: `state` is no such state, or of another type of device, whose draws would differ.
    """
    try:
        device, raw = torch.device(state["device"]), bytes.fromhex(state["state"])
        if device.type != rng.device.type:
            raise AmbleError(
                f"the random state was saved on {device} and cannot go on on {rng.device}: "
                f"resume on {device.type}, or start anew from its weights with --initialize-from."
            )
        rng.set_state(torch.frombuffer(bytearray(raw), dtype=torch.uint8))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AmbleError(f"not the state of a torch generator: {error}") from error


def torch_rng_from_json(state: dict[str, Any]) -> torch.Generator:
    """A generator on the state's own device that goes on where the one given to `torch_rng_to_json` stood.

    Raises:
        AmbleError: `state` is no such state, or its device is not here.
    """
    try:
        rng = torch.Generator(device=state["device"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise AmbleError(f"not the state of a torch generator that can be had here: {error}") from error
    restore_torch_rng(rng, state)
    return rng


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "values": value.tolist()}
    if isinstance(value, list | tuple):
        return [_lists(item) for item in value]
    return int(value) if isinstance(value, np.integer) else value


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"dtype", "values"}:
            if value["dtype"] not in ("uint32", "uint64"):
                raise ValueError(f"dtype {value['dtype']!r}")
            return np.array(value["values"], dtype=value["dtype"])
        return {key: _arrays(item) for key, item in value.items()}
    return value
