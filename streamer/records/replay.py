"""A WFDB record as a signal that can be played."""

import numpy as np

from streamer.chunk import Annotation, StreamInfo
from streamer.errors import InputError
from streamer.records.find import database_of, find_record
from streamer.records.path import path_of, record_of
from streamer.records.record import WfdbRecord, clean_reference, read_record
from streamer.settings import SourceSettings
from streamer.source import Block
from streamer.source_kind import PlayedKind

_CLEAN = ("mitdb", "qtdb", "ludb", "nsrdb", "edb", "afdb", "svdb", "aami-ec13")
"""Databases of ECGs chosen to be read: of these, a record without its own drift is the reference."""


class RecordSignal:
    """A `streamer.source.Signal` of a record in memory, with its reference.

    Parameters
    ----------
    record
        What to play.
    name
        What a person calls it: ``"mitdb/100"``.
    first
        Sample of the record at which playing begins.
    loop
        Begin again at `first` when the record ends, without end.
    keep_drift
        Play the record as it is. Otherwise play the reference itself, so that the added noise is
        the only difference between data and reference, as tables of figures need it.
    has_reference
        A reference is known; see `_open`.
    """

    def __init__(
        self,
        record: WfdbRecord,
        name: str,
        *,
        first: int = 0,
        loop: bool = False,
        keep_drift: bool = True,
        has_reference: bool = True,
    ) -> None:
        samples = record.data.shape[1]
        if not 0 <= first < samples:
            raise InputError(
                f"start {first / record.fs:g} s lies outside record {name}, which lasts "
                f"{samples / record.fs:g} s"
            )
        whole = clean_reference(record.data, record.fs) if record.reference is None else record.reference
        reference = whole[:, first:]
        self._data = record.data[:, first:] if keep_drift else reference
        self._reference = reference
        self._marks = [m._replace(sample=m.sample - first) for m in record.annotations]
        self._mark_samples = np.array([m.sample for m in self._marks], dtype=np.int64)
        self.length = None if loop else samples - first
        self.info = StreamInfo(
            record.fs,
            record.leads,
            name,
            f"replay/{name}",
            has_reference=has_reference,
            notes=record.notes,
            origin="record",
            start_s=first / record.fs,
            length_s=samples / record.fs,
        )

    def read(self, start: int, count: int) -> Block:
        """`count` samples from `start` in played time, as views where the record does not wrap."""
        if self.length is not None:
            return self._piece(start, count, 0)
        samples = self._data.shape[1]
        lap, at = divmod(start, samples)
        pieces = [self._piece(at, min(count, samples - at), lap * samples)]
        left = count - (samples - at)
        while left > 0:
            lap += 1
            pieces.append(self._piece(0, min(left, samples), lap * samples))
            left -= samples
        if len(pieces) == 1:
            return pieces[0]
        return Block(
            np.concatenate([piece.data for piece in pieces], axis=1),
            np.concatenate([piece.reference for piece in pieces], axis=1),
            tuple(mark for piece in pieces for mark in piece.annotations),
        )

    def _piece(self, at: int, count: int, played: int) -> Block:
        """Samples of one lap, its marks moved by the samples `played` in the laps before."""
        inside = slice(*np.searchsorted(self._mark_samples, [at, at + count]))
        marks: tuple[Annotation, ...] = tuple(
            mark._replace(sample=mark.sample + played) for mark in self._marks[inside]
        )
        return Block(self._data[:, at : at + count], self._reference[:, at : at + count], marks)


def _open(settings: SourceSettings) -> RecordSignal:
    """Read a record, and say whether a reference is known: never where the record may be its own noise.

    It is where the record holds one, where its database is one of clean ECGs, and where this program adds
    the noise. The Noise Stress Test records are noise, or contain it.
    """
    file = path_of(settings.record)
    if file is None:
        name = settings.record
        path = find_record(name, settings.database, settings.data_dir)
    else:
        path = record_of(file)
        name = path.name
        if file.suffix != ".hea":
            raise InputError(f"{settings.record} is no WFDB record; other formats are of --source file")
    record = read_record(path, settings.leads)
    database = database_of(path, name)
    clean = database in _CLEAN and not record.own
    added = settings.noise != "none" and database != "nstdb"
    return RecordSignal(
        record,
        f"{database}/{name}",
        first=round(settings.start * record.fs),
        loop=settings.loop,
        keep_drift=settings.own_drift == "keep",
        has_reference=record.reference is not None or clean or added,
    )


SOURCE = PlayedKind("a WFDB record", _open)
