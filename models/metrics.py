"""Figures of merit of a cleaned signal, from sums that can be added up block by block."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FLOOR = 1e-20
"""mV²: a power below this is rounding error, an SNR of 200 dB and more."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over samples of a reference x and an output y, per lead; add two to join stretches.

    Parameters
    ----------
    sums
        Count, Σx, Σx², Σy, Σy², Σxy, Σ(y−x), Σ(y−x)², shape (8, leads).
    """

    sums: NDArray[np.float64]

    @classmethod
    def of(cls, reference: NDArray[np.float32], output: NDArray[np.float32]) -> "Moments":
        """Sums of a stretch, both (leads, samples) in mV; samples where either is NaN are left out."""
        terms = np.empty((8, *reference.shape))
        valid, x, xx, y, yy, xy, e, ee = terms
        x[:], y[:] = reference, output
        with np.errstate(invalid="ignore"):
            np.subtract(y, x, out=e)
        np.isfinite(e, out=valid)
        if not valid.all():
            x[:], y[:], e[:] = (np.where(valid, side, 0) for side in (x, y, e))
        np.multiply(x, x, out=xx)
        np.multiply(y, y, out=yy)
        np.multiply(x, y, out=xy)
        np.multiply(e, e, out=ee)
        return cls(np.add.reduce(terms, axis=-1))

    @classmethod
    def none(cls, leads: int) -> "Moments":
        """Sums of nothing."""
        return cls(np.zeros((8, leads)))

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(self.sums + other.sums)

    @property
    def count(self) -> NDArray[np.float64]:
        """Samples per lead."""
        count: NDArray[np.float64] = self.sums[0]
        return count

    def _variance(self, first: int, second: int) -> NDArray[np.float64]:
        count = np.maximum(self.sums[0], 1)
        variance: NDArray[np.float64] = self.sums[second] / count - (self.sums[first] / count) ** 2
        return np.maximum(variance, _FLOOR)

    @property
    def snr_db(self) -> NDArray[np.float64]:
        """Mean-removed output SNR per lead: 10·log10(Var x / Var(y − x)); NaN without samples."""
        snr: NDArray[np.float64] = 10 * np.log10(self._variance(1, 2) / self._variance(6, 7))
        return np.where(self.count > 0, snr, np.nan)

    @property
    def rmse_mv(self) -> NDArray[np.float64]:
        """Root mean square error per lead, mean removed, in mV."""
        rmse: NDArray[np.float64] = np.sqrt(self._variance(6, 7))
        return np.where(self.count > 0, rmse, np.nan)

    @property
    def prd_percent(self) -> NDArray[np.float64]:
        """Percentage root mean square difference per lead, mean removed, over the power of the reference."""
        prd: NDArray[np.float64] = 100 * np.sqrt(self._variance(6, 7) / self._variance(1, 2))
        return np.where(self.count > 0, prd, np.nan)

    @property
    def correlation(self) -> NDArray[np.float64]:
        """Pearson's r per lead."""
        count = np.maximum(self.sums[0], 1)
        covariance = self.sums[5] / count - self.sums[1] * self.sums[3] / count**2
        r: NDArray[np.float64] = covariance / np.sqrt(self._variance(1, 2) * self._variance(3, 4))
        return np.where(self.count > 0, r, np.nan)


def snr_db(reference: NDArray[np.float32], output: NDArray[np.float32]) -> float:
    """SNR of one lead, (samples,) in mV, its mean removed."""
    return float(Moments.of(reference[None], output[None]).snr_db[0])
