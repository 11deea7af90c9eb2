"""A file of each format, made by the library that others read it with."""

from dataclasses import dataclass, field

import edfio
import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
import scipy.io
import wfdb
import xdf_tools
from dicom_tools import PADDING, dicom
from file_tools import ecg

FS = 500
STATED = {"rate": FS, "variable": "ecg", "axis": 1}


@dataclass(frozen=True)
class Asked:
    """What a file shall hold: (leads, samples) in mV, NaN where one is missing; whether the second lead has
    half the rate of the first; whether two seconds are lost after the first three."""

    rows: np.ndarray = field(default_factory=lambda: ecg(6, 2, FS))
    names: tuple = ("I", "II")
    unit: str = "mV"
    mixed: bool = False
    lost: bool = False

    @property
    def leads(self):
        """Each lead at its own rate."""
        return [row[::2] if self.mixed and place else row for place, row in enumerate(self.rows)]


def wfdb_record(file, asked):
    """A record; where something is lost, of two segments with a gap between them."""
    count = len(asked.rows)
    if not asked.rows.size:
        # wfdb writes no such.
        signals = "".join(f"{file.stem}.dat 16 200/mV 16 0 0 0 0 {name}\n" for name in asked.names[:count])
        file.write_text(f"{file.stem} {count} {FS} 0\n{signals}")
        file.with_suffix(".dat").write_bytes(b"")
        return
    parts = [f"{file.stem}a", f"{file.stem}b"] if asked.lost else [file.stem]
    half = asked.rows.shape[1] // 2
    for name in parts:
        wfdb.wrsamp(
            name,
            fs=FS / 2 if asked.mixed else FS,
            units=[asked.unit] * count,
            sig_name=list(asked.names[:count]),
            e_p_signal=[row[:half] if asked.lost else row for row in asked.leads],
            samps_per_frame=[2, 1] if asked.mixed else [1] * count,
            fmt=["16"] * count,
            adc_gain=[200.0] * count,
            baseline=[0] * count,
            write_dir=str(file.parent),
        )
    if asked.lost:
        segments = f"{parts[0]} {half}\n~ {2 * FS}\n{parts[1]} {half}\n"
        file.write_text(f"{file.stem}/3 {count} {FS} {half * 2 + 2 * FS}\n{segments}")


def edf(file, asked):
    """EDF+ or BDF+; where something is lost, each record says when it begins."""
    if asked.rows.size == 0 < len(asked.rows):
        # edfio writes no such: the header of one of six records, with none.
        edf(file, Asked())
        whole = file.read_bytes()
        file.write_bytes((whole[:236] + b"0".ljust(8) + whole[244:])[: 256 * 4])
        return
    kind, whole = (edfio.BdfSignal, edfio.Bdf) if file.suffix == ".bdf" else (edfio.EdfSignal, edfio.Edf)
    signals = [
        kind(
            row,
            FS * len(row) / asked.rows.shape[1],
            label=name,
            physical_dimension=asked.unit,
            physical_range=(-8, 8),
        )
        for row, name in zip(asked.leads, asked.names, strict=False)
    ]
    lasts = 1.0 if signals else None
    whole(signals, annotations=[edfio.EdfAnnotation(0, None, "x")], data_record_duration=lasts).write(file)
    if asked.lost:
        written = file.read_bytes().replace(b"+C", b"+D", 1)
        for second in (5, 4, 3):
            written = written.replace(b"+%d\x14\x14\0" % second, b"+%d\x14\x14\0" % (second + 2))
        file.write_bytes(written)


def frame(asked):
    """Columns of a table; `time` says when a sample was taken where some are lost."""
    columns = dict(zip(asked.names, asked.rows, strict=False))
    if asked.lost:
        at = np.arange(asked.rows.shape[1]) / FS
        columns = {"time": np.round(np.where(at < 3, at, at + 2), 3), **columns}
    return pd.DataFrame(columns)


def table(file, asked):
    frame(asked).to_csv(file, index=False, sep="\t" if file.suffix == ".tsv" else ",", na_rep="NaN")


def parquet_file(file, asked):
    parquet.write_table(pa.Table.from_pandas(frame(asked)), file)


def hdf5(file, asked):
    with h5py.File(file, "w") as made:
        made["ecg"] = asked.rows


def xdf(file, asked):
    """One stream; where rates differ, two."""
    whole = [asked.leads] if not asked.mixed else [[row] for row in asked.leads]
    parts = []
    for number, leads in enumerate(whole, start=1):
        fs, values = FS // number, np.stack(leads, axis=1) if len(leads) else np.zeros((0, 0))
        names = asked.names[number - 1 : number - 1 + len(leads)]
        stamps = 1000 + np.arange(len(values)) / fs
        stamps[3 * fs :] += 2.0 * asked.lost
        parts.append(
            xdf_tools.header(
                number,
                fs,
                [(name, asked.unit, "") for name in names],
                type_="ECG" if asked.names[0] == "I" else "PPG",
            )
        )
        parts += [
            xdf_tools.samples(number, stamps[at : at + 50], values[at : at + 50])
            for at in range(0, len(values), 50)
        ]
    xdf_tools.written(file, *parts)


def dicom_object(file, asked):
    digits = np.where(np.isnan(asked.rows), PADDING, np.round((1000 * asked.rows - 100) / 5))
    dicom(file, digits, "uV" if asked.unit == "mV" else asked.unit, asked.names)


MAKERS = {
    ".hea": wfdb_record,
    ".edf": edf,
    ".bdf": edf,
    ".csv": table,
    ".tsv": table,
    ".npy": lambda file, asked: np.save(file, asked.rows),
    ".h5": hdf5,
    ".hdf5": hdf5,
    ".mat": lambda file, asked: scipy.io.savemat(file, {"ecg": asked.rows}),
    ".parquet": parquet_file,
    ".xdf": xdf,
    ".dcm": dicom_object,
}


def made(folder, ending, **asked):
    """A file of a format, and what must be stated to read it."""
    wanted = Asked(**asked)
    file = folder / f"made{ending}"
    MAKERS[ending](file, wanted)
    return file, {**STATED, "unit": wanted.unit}
