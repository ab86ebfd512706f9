"""Why a run of commands can't be applied whole, though fewer of them can: the run is halved."""


class UnsettledError(Exception):
    """Base of these; nothing of the run has been saved when one is raised."""


class ClaimsUnsettledError(UnsettledError):
    """Commands that build on each other's refusals claim something new in every round; fewer of them settle."""


class RacesLostError(UnsettledError):
    """Commands have lost every race, locked rows notwithstanding; one that does so alone is a defect of ours."""


class RepeatsMetError(UnsettledError):
    """Commands that were decided before are among them, and the inbox was not asked."""


class TooHeavyError(UnsettledError):
    """Replicated actions reach more bookings than one run should hold in memory."""
