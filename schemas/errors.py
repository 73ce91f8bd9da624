"""The errors that a user can meet. Each message is one line: the fact, the value, what to do.

A command exits with 1, or with what the class says.
"""


class PubrayError(Exception):
    """A failure with a message meant for the person who ran the job."""

    exit_code = 1


class UsageError(PubrayError):
    """The command line or the configuration is wrong; nothing was started."""

    exit_code = 2


class InputError(PubrayError):
    """A source file, query file or record cannot be used; the message names it."""


class AbsentError(InputError):
    """What a server is asked for is not there, or not whole; it may be later."""


class WeightsError(InputError):
    """The weights of a model are in no folder, and no model hub gives them."""

    exit_code = 3


class UnknownError(InputError):
    """No article of the version has the id that is asked for, or the service does not have such a part."""


class ProtocolError(InputError):
    """A request in another service's protocol that is wrong, or that this service cannot do."""


class StoreError(PubrayError):
    """What is asked for is not in the store, or does not belong there."""


class CheckError(StoreError):
    """A version is not what it should be, and is not written."""

    exit_code = 5


class RowsError(CheckError):
    """A version does not hold the articles that it must hold: what it was made of is not used again."""


class MovedError(StoreError):
    """CURRENT is another than it was when it was looked at."""


class LostError(StoreError):
    """This run was the one who writes, and is not any more."""


class WriterError(StoreError):
    """Another job writes to the store."""

    exit_code = 4


class IntegrityError(StoreError):
    """A file of the store is truncated, flipped or of another format."""


class OverdueError(PubrayError):
    """A night, or a stage of one, took longer than it may."""


class ClusterError(PubrayError):
    """Ray did not come up, or its head has ended."""


class RequestError(PubrayError):
    """A service cannot be reached, or refuses a search."""


class ServiceError(PubrayError):
    """A part of the service cannot answer now; the same request may succeed later."""


class NotReadyError(ServiceError):
    """A searcher does not have the index version that it is asked for."""


class OverloadedError(ServiceError):
    """More requests wait for a part of the service than may."""


class DeadlineError(ServiceError):
    """A request took longer than it may."""


class UnavailableError(ServiceError):
    """A part of the service died, and died again when asked once more."""


class FailedError(ServiceError):
    """A part of the service failed over a request, and nobody knows why yet."""
