"""A stretch as an Observation of FHIR R4: SampledData for each lead, checked by the library's own model.

A sample that its lead lost is ``E``. Of a gap of all leads nothing is told: the next one begins later.
"""

import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ward.hospital.leads import ANY_LEAD, SYSTEM, Code, code_of
from ward.hospital.stretches import CLEANED, Stretch
from ward.hospital.who import Who

if TYPE_CHECKING:
    from fhir.resources.R4B.observation import Observation


def observation(stretch: Stretch, who: Who, signal: int = CLEANED) -> "Observation":
    """The Observation.

    Parameters
    ----------
    signal
        Which of the signals its values are: `stretches.RAW` or `CLEANED`.
    """
    from fhir.resources.R4B.observation import Observation

    remarks = [f"{lead}: {remark}" for n, lead in enumerate(stretch.leads) if (remark := stretch.remark(n))]
    of = ("Patient", who.patient) if who.patient else ("Location", who.location)
    content: dict[str, Any] = {
        "resourceType": "Observation",
        "id": stretch.identifier,
        "status": "preliminary",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "procedure",
                    }
                ]
            }
        ],
        "code": _coded(ANY_LEAD, "ECG"),
        "subject": {"type": of[0], "identifier": {"value": of[1]}},
        "effectivePeriod": {
            "start": stretch.first_time.isoformat(timespec="milliseconds"),
            "end": stretch.last_time.isoformat(timespec="milliseconds"),
        },
        "method": {"text": "cleaned by ecg-stream" if signal == CLEANED else "as measured"},
        "component": [_component(stretch, number) for number in range(len(stretch.leads))],
    }
    if remarks:
        content["note"] = [{"text": remark} for remark in remarks]
    return Observation.model_validate(content)


def _component(stretch: Stretch, lead: int) -> dict[str, Any]:
    values = stretch.values[lead]
    return {
        "code": _coded(code_of(stretch.leads[lead]), stretch.leads[lead]),
        "valueSampledData": {
            "origin": {
                "value": 0,
                "unit": "mV",
                "system": "http://unitsofmeasure.org",
                "code": "mV",
            },
            # Between two samples, ms.
            "period": Decimal(f"{1000 / stretch.fs:.9g}"),
            "dimensions": 1,
            "data": " ".join("E" if np.isnan(value) else f"{value:.4f}" for value in values),
        },
    }


def _coded(code: Code, text: str) -> dict[str, Any]:
    return {
        "coding": [{"system": SYSTEM, "code": str(code.number), "display": code.name}],
        "text": text,
    }


def write_observation(folder: Path, stretch: Stretch, who: Who, signal: int = CLEANED) -> Path:
    """Write the Observation as a file of its own, which is there whole or not at all.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    file = folder / f"{stretch.identifier}.json"
    text = observation(stretch, who, signal).model_dump_json(exclude_none=True)
    half = file.with_suffix(".part")
    with half.open("w", encoding="utf-8") as written:
        written.write(text + "\n")
        written.flush()
        os.fsync(written.fileno())
    half.replace(file)
    return file
