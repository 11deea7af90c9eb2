"""Find the ECG leads of a stream and their scale to mV in its metadata, which may be wrong or missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.choose import choose_leads
from streamer.errors import InputError, some
from streamer.plain import plain
from streamer.units import millivolts_of

UNITS = ("V", "mV", "uV", "counts")
"""Units that a user may state; counts need a scale."""

_ECG_TYPES = {"ecg", "ekg"}
_MAYBE_ECG_TYPES = {"", "exg", "eeg", "bio", "biosignal"}
_FIELDS = ("label", "type", "unit", "scaling_factor")


@dataclass(frozen=True)
class Channel:
    """One channel as its stream describes it; empty where it says nothing."""

    label: str
    type: str
    unit: str
    factor: float = 1.0
    """`scaling_factor` of the XDF metadata: what a value must be multiplied by to have `unit`."""

    @property
    def millivolts(self) -> float | None:
        """Factor from a value to mV; None where the unit is no voltage."""
        scale = millivolts_of(self.unit)
        return None if scale is None else scale * self.factor


@dataclass(frozen=True)
class Leads:
    """Which channels are leads: names, positions among the channels, and mV per unit of each."""

    names: tuple[str, ...]
    columns: tuple[int, ...]
    millivolts: NDArray[np.float64]
    notes: tuple[str, ...] = ()


def read_channels(info: Any) -> list[Channel]:
    """Channels of a full `pylsl.StreamInfo`, in the layout of the XDF metadata; as `described`."""
    count = info.channel_count()
    fields: list[dict[str, str]] = []
    element = info.desc().child("channels").child("channel")
    while len(fields) < count and not element.empty():
        fields.append({name: element.child_value(name) for name in _FIELDS})
        element = element.next_sibling("channel")
    return described(count, fields)


def described(count: int, fields: Sequence[Mapping[str, str]]) -> list[Channel]:
    """Channels by what the XDF metadata say of each.

    Always as many as the stream has: missing descriptions are empty, needless ones ignored, and
    no two labels are alike.
    """
    channels: list[Channel] = []
    labels: set[str] = set()
    for position in range(count):
        said = fields[position] if position < len(fields) else {}
        label, kind, unit, factor = (plain(said.get(name, "")) for name in _FIELDS)
        label = label or f"ch{position + 1}"
        if label in labels:
            label = f"{label}#{position + 1}"
        labels.add(label)
        channels.append(Channel(label, kind, unit, _positive(factor)))
    return channels


def says_ecg(kind: str) -> bool | None:
    """Whether the type of a channel says that it is an ECG; None where it may be one."""
    kind = kind.casefold()
    return True if kind in _ECG_TYPES else None if kind in _MAYBE_ECG_TYPES else False


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if np.isfinite(value) and value > 0 else 1.0


def check_scale(unit: str | None, scale: float | None) -> None:
    """Check the unit and scale that a user gave, before the network is searched."""
    if unit is not None and unit not in UNITS:
        raise InputError(f"unit {unit!r} is unknown; allowed: {', '.join(UNITS)}")
    if scale is not None and not (np.isfinite(scale) and scale != 0):
        raise InputError(f"scale must be a number other than 0, the mV of one count, got {scale}")
    if scale is not None and unit not in (None, "counts"):
        raise InputError(f"unit {unit!r} says it all; give --scale with counts or alone")
    if unit == "counts" and scale is None:
        raise InputError("counts have no size of their own; say with --scale how many mV one count is")


def pick_leads(
    channels: Sequence[Channel],
    wanted: tuple[str, ...] | None = None,
    unit: str | None = None,
    scale: float | None = None,
) -> Leads:
    """Choose the channels that hold ECG, and what turns their values into mV.

    Without `wanted` these are the channels of type ECG; where there are none, those that do not
    say that they are something else. A channel whose unit is no voltage is then left out.

    Parameters
    ----------
    wanted
        Labels, in the order wanted; taken whatever their type.
    unit
        One of `UNITS`, instead of what the metadata say.
    scale
        mV of one unit, instead of `unit`.

    Raises
    ------
    InputError
        If there is no such lead, no lead at all, or its unit is unknown.
    """
    check_scale(unit, scale)
    labels = [channel.label for channel in channels]
    chosen, unknown = choose_leads(wanted or (), labels)
    if unknown:
        raise InputError(f"the LSL stream has no lead {unknown[0]!r}; it has: {some(labels)}")
    columns = [labels.index(lead) for lead in chosen] if wanted else _ecg_columns(channels)
    stated = scale if scale is not None else None if unit is None else millivolts_of(unit)
    if stated is not None:
        factors = dict.fromkeys(columns, stated)
    else:
        factors = {c: mv for c in columns if (mv := channels[c].millivolts) is not None}
    lacking = [column for column in columns if column not in factors]
    if not factors or (wanted and lacking):
        said = ", ".join(f"{channels[c].label} {channels[c].unit or 'no unit'}" for c in lacking[:8])
        raise InputError(
            f"the LSL stream does not say its voltage ({said or 'no ECG channel'}); state it with "
            f"--unit V, mV or uV, or with --scale, the mV of one count (and the leads with --leads)"
        )
    columns = [column for column in columns if column in factors]
    left = [f"{channels[c].label} ({channels[c].unit or 'no unit'})" for c in lacking]
    notes = (f"left out, being no voltage: {some(left)}",) if left else ()
    return Leads(
        tuple(labels[column] for column in columns),
        tuple(columns),
        np.array([factors[column] for column in columns]),
        notes,
    )


def _ecg_columns(channels: Sequence[Channel]) -> list[int]:
    for types in (_ECG_TYPES, _MAYBE_ECG_TYPES):
        columns = [i for i, channel in enumerate(channels) if channel.type.casefold() in types]
        if columns:
            return columns
    kinds = [f"{channel.label} ({channel.type})" for channel in channels]
    raise InputError(f"the LSL stream has no ECG channel, only: {some(kinds)}; choose with --leads")
