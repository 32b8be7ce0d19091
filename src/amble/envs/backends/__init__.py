"""The ways of stepping B environments at once, each behind the contract of `amble.envs.boundary`."""
