"""The failures a user can meet, each with the exit code the command line gives it."""


class AmbleError(Exception):
    """Something went wrong that one paragraph explains; the command line exits with `exit_code`."""

    exit_code = 1


class UsageError(AmbleError):
    """A bad command, a bad file or a refused setting: nothing was started and nothing was written."""

    exit_code = 2
