"""Codes of leads in ISO/IEEE 11073-10101 (MDC), which HL7 v2 and FHIR both use for waveforms."""

from typing import Final, NamedTuple

SYSTEM: Final = "urn:iso:std:iso:11073:10101"
"""What FHIR calls the nomenclature."""


class Code(NamedTuple):
    """A term: its number and its reference name."""

    number: int
    name: str


ANY_LEAD: Final = Code(131328, "MDC_ECG_ELEC_POTL")
"""An ECG of whatever lead: partition 2, term 256. A lead adds its own number."""
MILLIVOLT: Final = Code(266418, "MDC_DIM_MILLI_VOLT")
PER_SECOND: Final = Code(264608, "MDC_DIM_PER_SEC")
_OF_A_LEAD: Final = {"I": 1, "II": 2, "III": 61, "AVR": 62, "AVL": 63, "AVF": 64} | {
    f"V{number}": 2 + number for number in range(1, 7)
}


def code_of(lead: str) -> Code:
    """The code of a lead by its name, in small letters or large; `ANY_LEAD` of one that has none.

    A modified lead (MLII) is not the lead after which it is named, and has none.
    """
    number = _OF_A_LEAD.get(lead.strip().upper())
    if number is None:
        return ANY_LEAD
    return Code(ANY_LEAD.number + number, f"{ANY_LEAD.name}_{lead.strip().upper()}")
