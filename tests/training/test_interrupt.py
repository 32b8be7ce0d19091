import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from amble.training.interrupt import StopRequest


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _handlers_are_as_before():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_asks(number, code):
    said = []
    with StopRequest(said.append) as stop:
        assert (stop.requested, stop.exit_code, stop.signal) == (False, None, None)
        send(number)
        assert (stop.requested, stop.exit_code, stop.signal) == (True, code, number)
    assert said == ["stopping after this iteration… press again to stop at once"]
    assert stop.exit_code == code


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_the_second_stops_at_once(number, error):
    with StopRequest(lambda text: None) as stop:
        send(number)
        time.sleep(0.15)
        with pytest.raises(error):
            send(number)
    assert stop.signal == number


def test_the_second_may_be_another_and_gives_the_exit_code():
    with StopRequest(lambda text: None) as stop:
        send(signal.SIGINT)
        with pytest.raises(SystemExit) as info:
            send(signal.SIGTERM)
    assert info.value.code == 143
    assert stop.exit_code == 143


def test_a_supervisor_that_signals_twice_at_once_means_it_once():
    with StopRequest(lambda text: None) as stop:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert stop.requested


def test_handlers_come_back_after_an_exception():
    with pytest.raises(RuntimeError, match="amid"), StopRequest():  # the fixture looks at the handlers
        raise RuntimeError("amid")


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest(lambda text: None) as stop:
            send(signal.SIGINT)
            assert not stop.requested
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_another_thread_it_does_nothing():
    found = []

    def run():
        with StopRequest() as stop:
            found.append(stop.requested)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]


def test_an_announcement_amid_a_write_goes_to_stderr(capfd):
    def busy(text):
        raise RuntimeError("reentrant call")

    with StopRequest(busy):
        send(signal.SIGINT)
    assert "stopping after this iteration" in capfd.readouterr().err


WORKER = """
import os, signal, time
from amble.training.interrupt import StopRequest
with StopRequest() as stop:
    child = os.fork()
    if child == 0:
        os.kill(os.getpid(), signal.SIGINT)   # Ctrl-C reaches the whole group; the parent deals with it
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status), stop.requested)
"""


def test_a_forked_worker_leaves_ctrl_c_to_its_parent_and_dies_of_sigterm():
    result = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, timeout=20, check=True
    )
    assert result.stdout.split() == [str(int(signal.SIGTERM)), "False"]
    assert result.stderr == ""
