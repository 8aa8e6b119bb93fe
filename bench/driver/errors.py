"""The ways a session can fail. Each knows the exit status of hakbench."""


class DriverError(Exception):
    """A failure whose text tells the user what to do."""

    status = 1


class UsageError(DriverError):
    """The command line names something that does not exist."""

    status = 2


class MissingError(DriverError):
    """Something that was asked for is not installed or not built."""


class SampleError(DriverError):
    """A sample failed, so the comparison it belongs to has no result."""
