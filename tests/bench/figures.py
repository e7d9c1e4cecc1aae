"""What is said of a row of measurements: never one timing, always a middle and how it spreads.

Ratios are taken pair by pair, each pair measured one right after the other, so that a machine that
gets slower or faster during the run slows or hastens both sides of every pair.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Figures:
    """Count, quartiles with the median between them, and the 95th percentile."""

    n: int
    p25: float
    median: float
    p75: float
    p95: float

    def rounded(self, digits: int) -> dict[str, float]:
        """As it goes into the JSON report."""
        return {name: round(value, digits) for name, value in asdict(self).items()}


def figures(values: Sequence[float]) -> Figures:
    """Sum up at least two values."""
    cuts = quantiles(values, n=100, method="inclusive")
    return Figures(len(values), cuts[24], cuts[49], cuts[74], cuts[94])


def ratios(ours: Sequence[float], bare: Sequence[float]) -> Figures:
    """Sum up ours / bare, pair by pair."""
    return figures([own / other for own, other in zip(ours, bare, strict=True)])
