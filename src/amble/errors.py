"""The failures a user can meet, each with the exit code the command line gives it."""


class AmbleError(Exception):
    """Something went wrong that one paragraph explains; the command line exits with `exit_code`."""

    exit_code = 1


class EnvironmentFault(AmbleError):
    """One environment of those stepped together did something that nothing can be learned from.

    Attributes:
        environment: its index among them.
        what: the message after `Environment 3 `.
    """

    def __init__(self, environment: int, what: str):
        super().__init__(f"Environment {environment} {what}")
        self.environment, self.what = environment, what


class UsageError(AmbleError):
    """A bad command, a bad file or a refused setting: nothing was started and nothing was written."""

    exit_code = 2
