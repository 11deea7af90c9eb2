"""Which channels of a file are ECG: those that are stated, or else those that are called so."""

import re
from collections.abc import Sequence
from pathlib import Path

from engine.files.opened import Channel
from streamer.choose import choose_leads
from streamer.errors import InputError, some
from streamer.records.record import LOWEST_HZ, is_no_ecg
from streamer.units import millivolts_of

# Names of leads: those of the twelve, of EASI, Frank, Nehb and modified limb and chest leads.
_ECG = re.compile(
    r".*(?<![a-z])(ecg|ekg|electrocardio\w*)(?![a-z]).*|(ecg|ekg)\w*"
    r"|(lead[ _-]?)?(m?l?i{1,3}|-?avr|avl|avf|m?v\d{1,2}r?|m?cl\d|c[cmsbr]\d|ml\d|d[123]|v[xyz]|es|as|ai)"
    r"([ _].*)?",
    re.IGNORECASE,
)


def ecg_channels(file: Path, channels: Sequence[Channel], leads: tuple[str, ...]) -> list[int]:
    """Places of the channels to clean, in the order of the file.

    A voltage is taken for ECG where its name says so, and its rate suffices or that of no other does; where
    no name does, nothing is guessed.

    Parameters
    ----------
    leads
        Names that were stated; none leaves it to the file.

    Raises
    ------
    InputError
        If there is no such channel, or it is no voltage, or its rate is too low.
    """
    if not channels:
        raise InputError(f"{file} has no channel")
    names = [channel.name for channel in channels]
    if leads:
        chosen, unknown = choose_leads(leads, names)
        if unknown:
            raise InputError(f"{file} has no channel {unknown[0]!r}; it has: {some(names)}")
        places = [place for place, name in enumerate(names) if name in chosen]
        for place in places:
            if millivolts_of(channels[place].unit) is None:
                raise _no_voltage(file, channels[place])
    else:
        called = [place for place, channel in enumerate(channels) if is_called_ecg(channel)]
        places = [place for place in called if millivolts_of(channels[place].unit) is not None]
        if called and not places:
            raise _no_voltage(file, channels[called[0]])
        if not places:
            raise InputError(
                f"{file} has no channel that is called an ECG; say which with --leads: {some(names)}"
            )
        # One of heart rates may be called so too.
        places = [place for place in places if channels[place].fs >= LOWEST_HZ] or places
    for place in places:
        channel = channels[place]
        if not channel.samples:
            raise InputError(f"{file} holds no sample")
        if not channel.fs >= LOWEST_HZ:
            raise InputError(
                f"channel {channel.name!r} of {file} has {channel.fs:g} Hz; allowed: "
                f"{LOWEST_HZ:g} Hz and more"
            )
    return places


def _no_voltage(file: Path, channel: Channel) -> InputError:
    if not channel.unit.strip():
        return InputError(
            f"channel {channel.name!r} of {file} has no unit; state it with --unit (V, mV, uV, nV)"
        )
    return InputError(
        f"channel {channel.name!r} of {file} has the unit {channel.unit!r}, which is no voltage; "
        "allowed: V, mV, uV, nV"
    )


def is_called_ecg(channel: Channel) -> bool:
    """Whether the file says that a channel is an ECG, or else its name."""
    return called_ecg(channel.name) if channel.ecg is None else channel.ecg


def called_ecg(name: str) -> bool:
    """Whether a name is that of an ECG."""
    return bool(_ECG.fullmatch(name.strip())) and not is_no_ecg(name.strip())


def told_apart(names: Sequence[str]) -> list[str]:
    """Names, with its place added to each that is empty or not the only one."""
    return [
        name if name and names.count(name) == 1 else f"{name or 'channel'} {place}"
        for place, name in enumerate(names, start=1)
    ]
