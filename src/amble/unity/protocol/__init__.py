"""The messages of the wire, compiled from `communicator.proto` by `make proto`."""

from typing import NoReturn

from amble.errors import UsageError

SERVICE = "communicator_objects.UnityToExternalProto"
METHOD = f"/{SERVICE}/Exchange"
API_VERSION = "1.5.0"
"""Of the messages; sides that agree in the major number can speak with each other."""

GO_ON, LAST = 200, 400
"""What a header's status may be: the session goes on, or ends with this message."""

EDITOR_PORT, BUILD_PORT = 5004, 5005
"""Where ML-Agents meets a Unity editor, and the first of the builds that it starts."""

MESSAGE_BYTES_MAX = 64 * 2**20
"""The longest message that we take; ML-Agents' own limit is 4 MiB."""


def missing(error: ImportError) -> NoReturn:
    """Say which extra brings gRPC and protobuf."""
    raise UsageError(
        f"Speaking with Unity needs gRPC and protobuf, and {error.name or error} cannot be imported "
        f"({error}). Install them: pip install 'amble[unity]'"
    ) from error
