"""When a crashed build is started again. Times in seconds."""

from amble.envs.backends.restarts import RestartLimits, Restarts


def test_so_many_in_a_life() -> None:
    restarts = Restarts(RestartLimits(lifetime=2, often=-1, seconds=60))
    for now in (0.0, 0.1):
        assert restarts.refusal(0, now) is None
        restarts.note(0, now)
    assert restarts.refusal(0, 1e9) == "max_lifetime_restarts (2) is used up"
    assert restarts.refusal(1, 0.0) is None  # every build for itself
    assert restarts.total == 2


def test_so_many_within_a_period() -> None:
    restarts = Restarts(RestartLimits(lifetime=-1, often=1, seconds=60))
    restarts.note(0, 100.0)
    assert "restarts_rate_limit_n (1) within restarts_rate_limit_period_s (60 s)" in str(
        restarts.refusal(0, 159.0)
    )
    assert restarts.refusal(0, 161.0) is None


def test_without_limits_and_never() -> None:
    restarts = Restarts(RestartLimits(lifetime=-1, often=-1, seconds=60))
    for _ in range(100):
        assert restarts.refusal(0, 0.0) is None
        restarts.note(0, 0.0)
    assert Restarts(RestartLimits(lifetime=0)).refusal(0, 0.0) == "max_lifetime_restarts (0) is used up"
