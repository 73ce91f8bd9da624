"""The errors that a user can meet. Each message is one line: the fact, the value, what to do.

A class says what it is a kind of, and by `exit_code` how the command line ends: 1, the job failed, unless it says more.
"""


class PubrayError(Exception):
    """A failure with a message meant for the person who ran the job."""

    exit_code = 1


class UsageError(PubrayError):
    """The command line or the configuration is wrong; nothing was started."""

    exit_code = 2


class InputError(PubrayError):
    """A file handed in cannot be read as what it claims to be."""


class WeightsError(InputError):
    """The weights of a model cannot be had on this machine."""

    exit_code = 3


class UnknownError(InputError):
    """No article of the version has the id that is asked for, or the service does not have such a part."""


class ProtocolError(InputError):
    """A request in another service's protocol that is wrong, or that this service cannot do."""


class StoreError(PubrayError):
    """The store lacks what is asked for, or holds something of another origin."""


class IntegrityError(StoreError):
    """A file of the store does not have the size or digest that its manifest names."""


class RequestError(PubrayError):
    """A running service does not answer a search."""


class ServiceError(PubrayError):
    """A part of the service cannot answer now; the same request may succeed later."""


class NotReadyError(ServiceError):
    """A searcher does not have the index version that it is asked for."""


class OverloadedError(ServiceError):
    """More requests wait than may."""


class DeadlineError(ServiceError):
    """A request took longer than it may."""


class UnavailableError(ServiceError):
    """A part of the service does not answer."""


class FailedError(ServiceError):
    """A part of the service failed over a request, and nobody knows why yet."""
