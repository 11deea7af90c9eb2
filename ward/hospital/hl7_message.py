"""A stretch as a message of HL7 v2.6: ORU^R01 with waveforms, as bedside monitors send them.

Its values are of type NA, a row of numbers in which one that was not measured is empty. A sample that its
lead lost is so, and nothing is told of a gap of all leads: the next message begins later.
"""

from datetime import datetime
from typing import Final

import numpy as np

from ward.hospital.leads import ANY_LEAD, MILLIVOLT, PER_SECOND, Code, code_of
from ward.hospital.stretches import CLEANED, Stretch
from ward.hospital.who import Who

_HEAD: Final = "|^~\\&|"
_QUESTIONABLE: Final = "QUES"
_ESCAPED: Final = str.maketrans(
    {sign: f"\\{letter}\\" for sign, letter in zip("|^&~\\", "FSTRE", strict=True)} | {"\r": " ", "\n": " "}
)
"""Chapter 2.7 of HL7 v2: what stands for the signs that separate."""


def oru_r01(stretch: Stretch, who: Who, signal: int = CLEANED) -> str:
    """The message: segments with carriage returns between.

    Parameters
    ----------
    signal
        Which of the signals its values are: `stretches.RAW` or `CLEANED`.
    """
    first, last = _time(stretch.first_time), _time(stretch.last_time)
    # Its time is that of the newest sample, so that a message that is sent again is the same.
    segments = [
        f"MSH{_HEAD}ECG-STREAM||||{last}||ORU^R01^ORU_R01|{stretch.identifier}|P|2.6|||NE|AL||UNICODE UTF-8",
        *([f"PID|||{_plain(who.patient)}||"] if who.patient else []),
        *([f"PV1||U|{'^'.join(map(_plain, who.location.split('^')))}"] if who.location else []),
        f"OBR|1||{stretch.identifier}^ECG-STREAM|{_coded(ANY_LEAD)}|||{first}|{last}",
    ]
    method = "cleaned^cleaned by ecg-stream^L" if signal == CLEANED else "raw^as measured^L"
    for number, lead in enumerate(stretch.leads):
        code, remark = f"{_coded(code_of(lead))}^{_plain(lead)}^^L", stretch.remark(number)
        place, flag = f"1.1.1.{number + 1}", _QUESTIONABLE if remark else ""
        head = f"OBX|{2 * number + 1}|NA|{code}|{place}|"
        values = "^".join("" if np.isnan(value) else f"{value:.4f}" for value in stretch.values[number])
        segments.append(f"{head}{values}|{_coded(MILLIVOLT)}||{flag}|||R|||{first}|||{method}")
        if remark:
            segments.append(f"NTE|1|L|{_plain(remark)}")
        segments.append(
            f"OBX|{2 * number + 2}|NM|0^MDC_ATTR_SAMP_RATE^MDC|{place}.1|"
            f"{stretch.fs:.10g}|{_coded(PER_SECOND)}|||||R"
        )
    return "\r".join(segments) + "\r"


def _coded(code: Code) -> str:
    return f"{code.number}^{code.name}^MDC"


def _time(when: datetime) -> str:
    return when.strftime("%Y%m%d%H%M%S.%f")[:-2] + "+0000"


def _plain(text: str) -> str:
    """Text in which no letter separates anything."""
    # The `hl7` library escapes letters beyond ASCII too, by numbers that it cannot read; UTF-8 holds them.
    return text.translate(_ESCAPED)
