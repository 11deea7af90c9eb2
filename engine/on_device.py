"""What leads carry from step to step where their states stay on a device: the numbers of their places.

The states themselves come to the host in two cases: when they are taken as a snapshot, and when there
are more leads than places. A device that fails takes them with it; all leads then begin afresh.
"""

import weakref
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.backends.base import Batch, PlacedBackend, State
from engine.backends.places import Places, Rows
from engine.lead_state import far_leads, initial_state
from engine.messages import Hop
from engine.ready_windows import Clock

Held = dict[str, tuple[Batch, State]]
"""Origin and state of the leads of each stream, on the host; `engine.stateful.Carried`."""


@dataclass
class Placed:
    """What leads carry, a row each.

    Parameters
    ----------
    origin
        What is subtracted from their samples, (rows, 1) mV.
    baseline
        First number of their states, (rows, 1): their baseline, from the origin on.
    places
        Where their states lie.
    begin
        (rows, 2): whether they begin afresh with the next step (0 or 1), and with which sample, mV.
    """

    origin: Batch
    baseline: Batch
    places: Rows
    begin: Batch

    @classmethod
    def afresh(cls, new: Batch, places: Rows) -> "Placed":
        """Of leads before the first of these samples, (rows, samples) mV: that is their origin."""
        origin = new[:, :1].copy()
        first = origin - origin  # NaN where there is none
        return cls(origin, first, places, _begin(first))

    def rows(self, rows: slice) -> "Placed":
        """Of some of the leads, in the same memory."""
        return Placed(self.origin[rows], self.baseline[rows], self.places[rows], self.begin[rows])


class Stepped(NamedTuple):
    """What leads got, (rows, 2, samples) mV less their origins, and when the call began and ended."""

    answer: Batch
    started_ns: int
    finished_ns: int


class OnDevice:
    """Places of the leads of all streams, for one runtime.

    Parameters
    ----------
    backend
        Where they are.
    places
        Those of its runtime now: another one may take over.
    held
        States on the host. Those of streams that step are taken from there, and those that must make
        room are put there.
    """

    def __init__(self, backend: PlacedBackend, places: Places, held: Held) -> None:
        self.places = places
        self._backend, self._held = backend, held
        # In the order of their last use, but for those that keep stepping together.
        self._of: dict[str, Placed] = {}
        self._together: list[str] = []
        self._joined: Placed | None = None
        self._claimed: set[int] = set()
        # A run that goes over to another hop makes a new one for the same backend.
        weakref.finalize(self, places.release, self._claimed)

    def step(self, hops: list[Hop], new: Batch, lookahead: int, clock: Clock) -> Stepped | None:
        """Take the newest samples of hops of different streams, (rows, samples) mV.

        None where there is no room: these streams are then held on the host.
        """
        leads = self._take(hops, new)
        if leads is None:
            return None
        far = far_leads(leads.origin + leads.baseline, new)
        if far.any():
            fresh = Placed.afresh(new[far], leads.places[far])
            leads.origin[far], leads.begin[far] = fresh.origin, fresh.begin
        samples = (new - leads.origin)[:, None]
        started_ns = clock()
        answer, told = self._backend.step_placed(samples, leads.places, leads.begin, lookahead)
        finished_ns = clock()
        leads.baseline[:], leads.begin[:] = told[:, :1], 0
        sick = ~(np.isfinite(answer.sum(axis=(1, 2))) & np.isfinite(told[:, 1]))
        if sick.any():
            leads.baseline[sick] = samples[sick, 0, -1:]
            leads.begin[sick] = _begin(leads.baseline[sick])
        return Stepped(answer, started_ns, finished_ns)

    def snapshot(self) -> Held:
        """Origin and state of the leads of each stream, as one copy from the device."""
        if not self._of:
            return {}
        counts = np.cumsum([len(leads.places) for leads in self._of.values()])[:-1]
        places = np.concatenate([leads.places for leads in self._of.values()])
        states = np.split(self._backend.read(places), counts)
        return {
            stream: (leads.origin.copy(), self._begun(leads, state))
            for (stream, leads), state in zip(self._of.items(), states, strict=True)
        }

    def _take(self, hops: list[Hop], new: Batch) -> Placed | None:
        streams = [hop.stream for hop in hops]
        if self._joined and self._together == streams and not any(hop.fresh for hop in hops):
            return self._joined
        for hop in hops:
            if hop.fresh:
                self._forget(hop.stream)
        if not self._make_room(hops, streams):
            for stream in streams:
                self._hold(stream)
            return None
        parts = []
        row = 0
        for hop in hops:
            samples = new[row : row + len(hop.window)]
            row += len(samples)
            parts.append(self._leads(hop, samples))
        joined = Placed(
            np.concatenate([part.origin for part in parts]),
            np.concatenate([part.baseline for part in parts]),
            np.concatenate([part.places for part in parts]),
            np.concatenate([part.begin for part in parts]),
        )
        row = 0
        for hop in hops:
            rows = slice(row, row + len(hop.window))
            row = rows.stop
            self._of.pop(hop.stream, None)
            self._of[hop.stream] = joined.rows(rows)
        self._together, self._joined = streams, joined
        return joined

    def _leads(self, hop: Hop, samples: Batch) -> Placed:
        """Of one stream; what is held of it on the host is put into places."""
        known, held = self._of.get(hop.stream), self._held.pop(hop.stream, None)
        if known:
            return known
        places = self._claim(len(samples))
        if held is None or hop.fresh:
            return Placed.afresh(samples, places)
        origin, state = held
        self._backend.write(places, np.ascontiguousarray(state))
        return Placed(origin.copy(), state[:, :1].copy(), places, np.zeros((len(places), 2), np.float32))

    def _make_room(self, hops: list[Hop], streams: list[str]) -> bool:
        """See that there is a place for every lead; those that stepped longest ago are put on the host."""
        lacking = sum(len(hop.window) for hop in hops if hop.stream not in self._of)
        others = [stream for stream in self._of if stream not in streams]
        while lacking > len(self.places) and others:
            self._hold(others.pop(0))
        return lacking <= len(self.places)

    def _claim(self, rows: int) -> Rows:
        places = self.places.claim(rows)
        if places is None:
            raise RuntimeError("the places of a device went to another run between two looks")
        self._claimed.update(places.tolist())
        return places

    def _hold(self, stream: str) -> None:
        """Take a stream's states to the host, and give its places back."""
        leads = self._of.get(stream)
        if leads:
            self._held[stream] = leads.origin.copy(), self._begun(leads, self._backend.read(leads.places))
            self._forget(stream)

    def _forget(self, stream: str) -> None:
        """Give a stream's places back."""
        leads = self._of.pop(stream, None)
        if leads:
            self._claimed.difference_update(leads.places.tolist())
            self.places.release(leads.places)
            self._together, self._joined = [], None

    def _begun(self, leads: Placed, state: State) -> State:
        """Their states, with those that begin afresh as they will begin."""
        fresh = leads.begin[:, :1] > 0
        return np.where(fresh, initial_state(leads.begin[:, None, 1:], self._backend.steps), state)


def _begin(first: Batch) -> Batch:
    """Word that leads begin afresh, with these samples (rows, 1) mV."""
    return np.concatenate([np.ones_like(first), first], axis=1)
