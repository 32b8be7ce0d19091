"""Without gRPC or protobuf, whoever needs them is told what to install."""

import importlib
import sys

import pytest

from amble.errors import UsageError


@pytest.mark.parametrize("package", ["grpc", "google.protobuf"])
@pytest.mark.parametrize("module", ["amble.unity.session", "amble.unity.client", "amble.envs.backends.unity"])
def test_the_extra_is_named(package: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith(("amble.unity.", "amble.envs.backends.unity", f"{package}.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=rf"{package}.* cannot be imported.*pip install 'amble\[unity\]'"):
        importlib.import_module(module)
