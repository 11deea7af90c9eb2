"""Change a stream's rate with a short, known delay: a stateful polyphase filter."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.chunk import Annotation, Chunk, Samples, StreamInfo
from streamer.errors import InputError
from streamer.pacing import SpikeBridge

PASSBAND = 0.3
"""Passband edge as a share of the lower of the two rates: 75 Hz at 250 Hz."""
STOPBAND_DB = 60.0
MOST_APART = 2000
MOST_PHASES = 100_000
"""Of a filter, one for each output between two inputs: 124.945 Hz to 360 Hz takes 72 000 (7 MB)."""


def ratio(fs_in: float, fs_out: float) -> tuple[int, int]:
    """Whole (up, down) with fs_in · up / down = fs_out; rates are rounded to a thousandth of a Hz.

    Exact where `up` is then no larger than `MOST_PHASES`, else to one part in a million.

    Raises
    ------
    InputError
        If the rates are too far apart.
    """
    exact = Fraction(fs_out).limit_denominator(1000) / Fraction(fs_in).limit_denominator(1000)
    nearest = exact if exact.numerator <= MOST_PHASES else exact.limit_denominator(int(MOST_PHASES / exact))
    if abs(nearest / exact - 1) > 1e-6 or not 1 / MOST_APART <= exact <= MOST_APART:
        raise InputError(
            f"cannot resample {fs_in:g} Hz to {fs_out:g} Hz: rates may lie up to {MOST_APART} times apart"
        )
    return nearest.numerator, nearest.denominator


@lru_cache(maxsize=8)
def _filter(fs_in: float, fs_out: float) -> tuple[int, Samples]:
    """Inputs either side that an output needs, and the weights of each phase, (phases, inputs)."""
    from scipy import signal

    up, _ = ratio(fs_in, fs_out)
    low = min(fs_in, fs_out)
    edge, stop = PASSBAND * low, (1 - PASSBAND) * low
    virtual = fs_in * up
    taps, beta = signal.kaiserord(STOPBAND_DB, (stop - edge) / (virtual / 2))
    # Odd multiples of `up` either side of the centre: every phase has the same reach.
    reach = -(-taps // (2 * up))
    half = reach * up
    kernel = signal.firwin(2 * half + 1, low / 2, window=("kaiser", beta), fs=virtual) * up
    # Phase p weighs the inputs i-reach … i+reach of an output that lies p/up after input i.
    at = half + np.arange(up)[:, None] - np.arange(-reach, reach + 1) * up
    inside = (at >= 0) & (at <= 2 * half)
    phases: Samples = np.where(inside, kernel[np.where(inside, at, 0)], 0).astype(np.float32)
    # Every phase has a gain of exactly 1 at 0 Hz; unequal gains would turn an offset into a tone.
    phases /= phases.sum(axis=1, keepdims=True)
    phases.flags.writeable = False
    return reach, phases


class Resampler:
    """One stream's polyphase FIR filter.

    A Kaiser-windowed linear-phase low-pass (`scipy.signal.firwin`) at the up-sampled rate, of
    which each output needs one phase. Output m lies at source time m / fs_out, so that
    annotations and reference stay aligned; `delay_s` says how long it must wait for the filter's
    second half. soxr's stream mode was not used because it holds seconds back.

    Parameters
    ----------
    fs_in, fs_out
        Rates in Hz.
    """

    def __init__(self, fs_in: float, fs_out: float) -> None:
        self.up, self.down = ratio(fs_in, fs_out)
        self.reach, self._phases = _filter(fs_in, fs_out)
        self.delay_s = self.reach / fs_in

    def outputs_before(self, index: int) -> int:
        """How many outputs lie before input sample `index`."""
        return -(-index * self.up // self.down)

    def filter(self, data: Samples, first: int, start: int, stop: int) -> Samples:
        """Outputs start … stop-1 from `data` (rows, samples), whose column 0 is input `first`."""
        position = np.arange(start, stop) * self.down
        return self.between(data, position // self.up - first, position % self.up)

    def between(self, data: Samples, column: NDArray[np.intp], phase: NDArray[np.intp]) -> Samples:
        """Values of `data` (rows, samples) that lie phase / `up` behind these columns."""
        taps = 2 * self.reach + 1
        rows, columns = data.shape
        along, across = data.strides
        # `sliding_window_view` is this and twenty checks, which cost a short chunk more than its filter.
        windows = np.lib.stride_tricks.as_strided(
            data, (rows, columns - taps + 1, taps), (along, across, across), writeable=False
        )
        chosen = windows[:, column - self.reach]
        resampled: Samples = np.einsum("rot,ot->ro", chosen, self._phases[phase])
        return resampled


def resampled_info(info: StreamInfo, fs: float) -> StreamInfo:
    """The same stream at another rate."""
    return replace(info, fs=fs)


def resample(
    chunks: Iterable[Chunk], info: StreamInfo, fs: float, *, without_spikes: bool = False
) -> Iterator[Chunk]:
    """Chunks of one stream at another rate; at its own rate they pass untouched.

    A gap, the end of a segment and the end of the stream flush the filter, with the last value repeated in
    place of what would follow; then the filter starts anew. If a gap falls between two outputs, the next
    output is dropped, so that the gap remains. A missing sample (NaN) makes all outputs within the filter's
    length NaN, so that nothing is interpolated silently. Empty chunks pass: they say that the source is
    silent.

    Parameters
    ----------
    chunks
        Of the stream that `info` describes.
    fs
        Wanted rate in Hz.
    without_spikes
        Bridge a pacemaker's spikes in what each output is made of, with no further delay: see
        `streamer.pacing`. The reference keeps them.
    """
    if ratio(info.fs, fs)[0] == ratio(info.fs, fs)[1]:
        yield from chunks
        return
    stage = StreamResampler(info.fs, fs, without_spikes=without_spikes)
    for chunk in chunks:
        yield from stage.take(chunk)
    yield from stage.flush()


class StreamResampler:
    """`resample` of one stream, chunk by chunk: holds the filter's tail, data and reference, and stamps.

    Parameters
    ----------
    fs_in, fs_out
        Rates in Hz, which differ.
    without_spikes
        As of `resample`.
    """

    def __init__(self, fs_in: float, fs_out: float, *, without_spikes: bool = False) -> None:
        self._resampler = Resampler(fs_in, fs_out)
        self._bridge = SpikeBridge(fs_in) if without_spikes else None
        self._fs_in = fs_in
        self.expected: int | None = None
        """Index that must follow; None where a segment begins."""
        self.outputs_before = self._resampler.outputs_before
        self._last: Chunk
        self._ended = 0
        self._next = 0

    def snapshot(self) -> dict[str, Any]:
        """What is needed to go on."""
        names = ("expected", "_ended", "_next", "_last", "_first", "_rows", "_times", "_marks")
        return {name: getattr(self, name) for name in names if hasattr(self, name)}

    def restore(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `snapshot` took at the same rates."""
        vars(self).update(kept)

    def take(self, chunk: Chunk) -> Iterator[Chunk]:
        """What a chunk makes ready."""
        if chunk.data.shape[1] == 0 and not chunk.ends_segment:
            yield replace(chunk, start=self.outputs_before(chunk.start))
            return
        if self.expected is not None and chunk.start != self.expected:
            yield from self.flush()
        if chunk.ends_segment:
            yield from self.flush()
            yield replace(chunk, start=self.outputs_before(chunk.start))
        else:
            yield from self._push(chunk)

    def _push(self, chunk: Chunk) -> Iterator[Chunk]:
        rows = chunk.data if chunk.reference is None else np.concatenate([chunk.data, chunk.reference])
        reach = self._resampler.reach
        if self.expected is None:
            self._first = chunk.start - reach
            self._rows = np.repeat(rows[:, :1], reach, axis=1)
            self._times = chunk.source_time[0] + np.arange(-reach, 0) / self._fs_in
            # If no output falls into the gap, drop the next one, so that the gap remains.
            lost = 1 if chunk.start > self._ended else 0
            self._next = max(self._resampler.outputs_before(chunk.start), self._next + lost)
            self._marks: list[Annotation] = []
        self.expected = chunk.stop
        self._last = chunk
        self._rows = np.concatenate([self._rows, rows], axis=1)
        self._times = np.concatenate([self._times, chunk.source_time])
        self._marks += chunk.annotations
        yield from self._emit(chunk.stop - reach)

    def flush(self) -> Iterator[Chunk]:
        """What waits for the second half of the filter, the last value standing in for what would follow."""
        if self.expected is None:
            return
        reach = self._resampler.reach
        self._rows = np.concatenate([self._rows, np.repeat(self._rows[:, -1:], reach, axis=1)], axis=1)
        ahead = self._times[-1] + np.arange(1, reach + 1) / self._fs_in
        self._times = np.concatenate([self._times, ahead])
        yield from self._emit(self.expected)
        self._ended, self.expected = self.expected, None

    def _emit(self, before_input: int) -> Iterator[Chunk]:
        """Yield all outputs that lie before an input sample, and forget what is no longer needed."""
        worker, last = self._resampler, self._last
        stop = worker.outputs_before(before_input)
        if stop <= self._next:
            return
        rows = worker.filter(self._rows, self._first, self._next, stop)
        leads = last.data.shape[0]
        if self._bridge:
            self._replace_spiked(self._bridge, rows[:leads], stop)
        at_input = np.arange(self._next, stop) * worker.down / worker.up - self._first
        marks = [m for m in self._marks if worker.outputs_before(m.sample) < stop]
        self._marks = [m for m in self._marks if worker.outputs_before(m.sample) >= stop]
        yield Chunk(
            last.stream,
            self._next,
            rows[:leads],
            np.interp(at_input, np.arange(len(self._times)), self._times),
            last.arrived_ns,
            rows[leads:] if last.reference is not None else None,
            tuple(m._replace(sample=max(worker.outputs_before(m.sample), self._next)) for m in marks),
        )
        self._next = stop
        kept = worker.reach + (self._bridge.reach if self._bridge else 0)
        keep = max(0, stop * worker.down // worker.up - kept - self._first)
        self._rows = self._rows[:, keep:]
        self._times = self._times[keep:]
        self._first += keep

    def _replace_spiked(self, bridge: SpikeBridge, outputs: Samples, stop: int) -> None:
        """Make those of the outputs anew, up to `stop`, whose inputs hold spikes, from bridged ones.

        Each from its own inputs alone: it waits for no more of them, and any cut into chunks gives the same.
        """
        worker, reach = self._resampler, self._resampler.reach
        first = self._next * worker.down // worker.up - self._first - reach
        last = (stop - 1) * worker.down // worker.up - self._first + reach
        seen = self._rows[: len(outputs), first : last + 1]
        steps = np.abs(seen[:, 1:] - seen[:, :-1]) > bridge.step_mv
        if not np.count_nonzero(steps):
            return
        position = np.arange(self._next, stop) * worker.down
        column, phase = position // worker.up - self._first, position % worker.up
        for row in np.flatnonzero(steps.any(axis=1)):
            before = np.concatenate([[0], np.cumsum(steps[row])])
            spiked = before[column + reach - first] > before[column - reach - first]
            for at in np.flatnonzero(spiked):
                known = max(0, column[at] - reach - bridge.reach)
                bridged = bridge.bridged(self._rows[row, known : column[at] + reach + 1])
                inputs = bridged[None, -2 * reach - 1 :]
                outputs[row, at] = worker.between(inputs, np.array([reach]), phase[at : at + 1])[0, 0]
