"""A small world to train in: records, noise and patients, made."""

import csv

import numpy as np

from streamer.synthetic import SyntheticPatient
from streamer.synthetic_noise import synthetic_tape

GRADES = {"clean": ("I", "V1"), "noisy": ("II",)}
TRAINING, KEPT_BACK = "11", "10"
"""Names of which the first trains and the second does not."""
CLOSED = ("georgia", "ptbxl", "ptb", "cpsc2018", "cinc2017v")
"""Folders that no training may open."""


def write_patients(folder, write_record):
    """A folder of patients: two records of each database, one of them kept back; returns it."""
    for seed, database in enumerate(("cinc2011a", "ludb_rest", "chapman_ningbo", *CLOSED)):
        lines = []
        for record in (TRAINING, KEPT_BACK):
            data = SyntheticPatient(fs=500.0, leads=("I", "II", "V1"), seed=seed).read(0, 5000).data
            write_record(folder / database, record, data, fs=500, leads=("I", "II", "V1"))
            for grade, leads in GRADES.items():
                lines += [{"record": record, "lead": lead, "grade": grade} for lead in leads]
        with (folder / database / "quality.csv").open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, ("record", "lead", "grade"))
            table.writeheader()
            table.writerows(lines)
    for name in (TRAINING, KEPT_BACK):
        noise = synthetic_tape("ma", 200.0, int(name))[:, : 200 * 40]
        noise = np.concatenate([noise, noise[::-1]])
        write_record(folder / "myo_emg", name, noise, fs=200, leads=("EMG1", "EMG2", "EMG3", "EMG4"))
        noise = synthetic_tape("em", 500.0, int(name))[:1, : 500 * 10]
        write_record(folder / "electrode_noise", f"en{name}_I", noise, fs=500, leads=("I",))
    return folder
