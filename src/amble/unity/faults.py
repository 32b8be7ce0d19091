"""What can be wrong with the other end of the wire, each by a name of its own."""

from amble.errors import AmbleError


class UnityFault(AmbleError):
    """The session with the other end is over, and this is why."""


class PeerGone(UnityFault):
    """It has ended the session, closed its connection, or its process has died."""


class PeerSilent(UnityFault):
    """It is there, but has not spoken in the time it was given."""


class VersionMismatch(UnityFault):
    """It speaks another version of the protocol."""


class BadMessage(UnityFault):
    """It has said something that the protocol does not allow."""


class SpacesChanged(UnityFault):
    """A behaviour's observations or actions are no longer what they were at its first message."""


class NotFinite(UnityFault):
    """NaN or infinity among observations, rewards or actions."""
