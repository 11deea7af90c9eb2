"""DICOM waveforms: the samples of the ECG change, and the object becomes another one.

The layout is that of PS3.3 C.10.9 (waveform module). pydicom 3.0 takes padding for signal and ignores skew
where it makes an array of a waveform; here padding is missing samples, and what skew states stays stated.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.files.leads import told_apart
from engine.files.opened import Channel, Opened, Rows, Stated
from engine.files.verdicts import Span
from streamer.console.installed import how_to_install
from streamer.errors import InputError, one_line
from streamer.plain import plain

_KINDS = {"SB": "<i1", "UB": "<u1", "SS": "<i2", "US": "<u2", "SL": "<i4", "UL": "<u4"}


class Dicom(Opened):
    """One DICOM object with waveforms; see `engine.files.opened.Opened`."""

    def __init__(self, file: Path, stated: Stated) -> None:
        try:
            import pydicom
            from pydicom.errors import InvalidDicomError
        except ImportError as error:
            raise InputError(f"{file} needs pydicom: {how_to_install('files')}") from error
        self.files = (file,)
        try:
            self._object = pydicom.dcmread(file)
            groups = list(self._object.get("WaveformSequence", ()))
        except (InvalidDicomError, EOFError, ValueError, NotImplementedError) as error:
            raise InputError(f"{file} cannot be read as DICOM, or is truncated: {one_line(error)}") from error
        if not groups:
            raise InputError(f"{file} holds no waveform")
        self._samples: list[NDArray[Any]] = []
        self._paddings: list[int | None] = []
        """Of each group, the value that stands where no sample was taken."""
        self._where: list[tuple[int, int]] = []
        self._scales: list[tuple[float, float]] = []
        channels = []
        for number, group in enumerate(groups):
            try:
                samples = _samples(group)
                self._paddings.append(_padding(group, samples.dtype))
                described = [_described(channel) for channel in group.ChannelDefinitionSequence or ()]
                fs = float(group.SamplingFrequency)
            except (AttributeError, ValueError, TypeError, IndexError) as error:
                raise InputError(
                    f"waveform {number + 1} of {file} cannot be read: {one_line(error)}"
                ) from error
            self._samples.append(samples)
            for place, (name, unit, scale, baseline) in enumerate(described):
                self._where.append((number, place))
                self._scales.append((scale, baseline))
                channels.append(Channel(name, unit or stated.unit or "", fs, len(samples)))
        self._groups = groups
        names = told_apart([channel.name for channel in channels])
        self.channels = tuple(
            Channel(name, each.unit, each.fs, each.samples)
            for name, each in zip(names, channels, strict=True)
        )
        self._target = file

    def read(self, places: Sequence[int], start: int, stop: int) -> Rows:
        """As `Opened.read`."""
        rows = np.empty((len(places), stop - start))
        for row, place in enumerate(places):
            (group, column), (scale, baseline) = self._where[place], self._scales[place]
            digital = self._samples[group][start:stop, column]
            rows[row] = np.where(digital == self._paddings[group], np.nan, digital * scale + baseline)
        return rows

    def begin(self, folder: Path) -> None:
        """As `Opened.begin`."""
        self._target = folder / self.files[0].name

    def write(self, places: Sequence[int], start: int, rows: Rows) -> None:
        """As `Opened.write`: what has been cleaned is not read again."""
        for row, place in zip(rows, places, strict=True):
            (group, column), (scale, baseline) = self._where[place], self._scales[place]
            part = self._samples[group][start : start + len(row), column]
            padding = self._paddings[group]
            new = self.into(part, (row - baseline) / scale)
            # A sample that was taken must not become one that was not.
            part[:] = np.where((new == padding) & (part != padding), part, new)

    def finish(self, spans: Sequence[Span]) -> None:
        """As `Opened.finish`: another object has another identity; DICOM gives the guard no place."""
        from pydicom.uid import generate_uid

        for group, samples in zip(self._groups, self._samples, strict=True):
            data = samples.tobytes()
            group.WaveformData = data + b"\0" * (len(data) % 2)
        uid = generate_uid(entropy_srcs=[str(self._object.SOPInstanceUID), "cleaned by ecg-stream"])
        self._object.SOPInstanceUID = self._object.file_meta.MediaStorageSOPInstanceUID = uid
        self._object.save_as(self._target)


def _samples(group: Any) -> NDArray[Any]:
    """The samples of a group, (samples, channels), as they are stored."""
    kind = str(group.WaveformSampleInterpretation)
    if kind not in _KINDS:
        raise ValueError(f"its samples are {kind}; allowed: {', '.join(_KINDS)}")
    channels, count = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    # What has no byte is None.
    raw, dtype = group.WaveformData or b"", np.dtype(_KINDS[kind])
    if len(raw) < channels * count * dtype.itemsize:
        raise ValueError(f"it states {count} samples of {channels} channels, and holds {len(raw)} bytes")
    return np.frombuffer(raw, dtype, channels * count).reshape(count, channels).copy()


def _padding(group: Any, kind: np.dtype[Any]) -> int | None:
    stated = group.get("WaveformPaddingValue")
    if stated is None:
        return None
    if not isinstance(stated, bytes):
        return int(stated)
    if len(stated) < kind.itemsize:
        raise ValueError(f"its samples take {kind.itemsize} bytes, and their padding value {len(stated)}")
    return int(np.frombuffer(stated, kind, 1)[0])


def _described(channel: Any) -> tuple[str, str, float, float]:
    """Name, unit, physical value of a step, and of the digital zero."""
    source = channel.ChannelSourceSequence[0] if channel.get("ChannelSourceSequence") else None
    name = channel.get("ChannelLabel") or (source.get("CodeMeaning", "") if source else "")
    if channel.get("ChannelSensitivity") is None:
        return plain(str(name)), "", 1.0, 0.0
    unit = str(channel.ChannelSensitivityUnitsSequence[0].CodeValue)
    scale = float(channel.ChannelSensitivity) * float(channel.get("ChannelSensitivityCorrectionFactor") or 1)
    if not (np.isfinite(scale) and scale):
        raise ValueError(f"channel {plain(str(name))!r} has a sensitivity of {scale:g}")
    return plain(str(name)), unit, scale, float(channel.get("ChannelBaseline") or 0)
