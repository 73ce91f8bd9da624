"""The errors that a user can meet, as a tree. Each message is one line: the fact, the value, what to do.

PubrayError            exit 1: the job failed
├── UsageError         exit 2: bad arguments or configuration
├── InputError         a source file, query file or record that cannot be used; names it
│   ├── WeightsError   exit 3: the weights of a model are in no folder, and no model hub gives them
│   ├── UnknownError   an id that no article of the version has, or a part that the service does not have
│   └── ProtocolError  a request that another service's protocol does not allow
├── StoreError         what is asked for is not in the store, or does not belong there
│   └── IntegrityError a file of the store is truncated, flipped or of another format
├── RequestError       a service that cannot be reached, or refuses a search
└── ServiceError       a part of the service cannot answer now
    ├── NotReadyError      it does not have the index version asked for
    ├── OverloadedError    more wait for it than may
    ├── DeadlineError      it took longer than a request may
    ├── UnavailableError   it died, and died again when asked once more
    └── FailedError        it failed over a request, nobody knows why
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
