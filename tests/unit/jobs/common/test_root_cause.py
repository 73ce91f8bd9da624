from jobs.common.root_cause import root_cause
from schemas.errors import InputError, PubrayError, StoreError


class WrappedError(Exception):
    """As Ray wraps what a worker raised."""

    def __init__(self, cause: BaseException | str) -> None:
        super().__init__(str(cause))
        self.cause = cause


class WrappedKindError(WrappedError, PubrayError):
    """Ray's wrapper also has the type of what it wraps, but its message is a traceback."""


def test_an_error_of_ours_is_its_own_cause() -> None:
    error = InputError("x")
    assert root_cause(error) is error


def test_a_cause_is_found_below_any_number_of_wrappers() -> None:
    cause = StoreError("lost")
    assert root_cause(WrappedError(WrappedKindError(WrappedError(cause)))) is cause


def test_a_cause_is_found_behind_from_and_during() -> None:
    cause = InputError("bad file")
    for error in (RuntimeError("job failed"), WrappedKindError("traceback")):
        error.__cause__ = cause
        assert root_cause(error) is cause
    error = RuntimeError("while closing")
    error.__context__ = WrappedError(cause)
    assert root_cause(error) is cause


def test_without_an_error_of_ours_the_outermost_stays() -> None:
    error = WrappedError(KeyError("x"))
    assert root_cause(error) is error


def test_a_circle_of_errors_ends() -> None:
    one, two = RuntimeError("1"), RuntimeError("2")
    one.__context__, two.__context__ = two, one
    assert root_cause(one) is one
