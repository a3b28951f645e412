"""What a call is refused with, and how a job ends that does not complete."""

from __future__ import annotations


class SageMakerError(Exception):
    """An error that a call is answered with, by its code."""

    def __init__(self, code: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.code = code
        self.message = message


class JobFailed(Exception):
    """The job fails; its text is the FailureReason, which begins with AWS's class of failure."""


class JobStopped(Exception):
    """The job ends before it is done: somebody stopped it, or a limit did."""

    def __init__(self, secondary: str, message: str) -> None:
        """Keep the training job's SecondaryStatus and what it says."""
        super().__init__(message)
        self.secondary = secondary
        self.message = message


def invalid(message: str) -> SageMakerError:
    """A request that AWS does not take."""
    return SageMakerError("ValidationException", message)


def not_carried_out(*what: str) -> SageMakerError:
    """A request that AWS takes and this server does not."""
    return invalid(f"{', '.join(what)} is not carried out by the local SageMaker")
