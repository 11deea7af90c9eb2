"""The lines that docs/python.md gives for pipelines of others, run inside the real ezmsg and MNE-LSL."""

import lsl_outlets  # noqa: F401  keeps LSL to this machine, for the children too
import numpy as np
from docs_tools import ROOT, blocks_of, run_python
from pylsl import lib as liblsl

from ecg_stream import Denoiser
from streamer.synthetic import SyntheticPatient

FS, CHUNK = 250, 10

EZMSG = f"""
import ezmsg.core as ez
import numpy as np
from lines import AxisArray, Clean

GIVEN = np.load("given.npy")


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)
    async def play(self):
        for start in range(0, len(GIVEN), {CHUNK}):
            axis = AxisArray.TimeAxis({FS}.0, 5 + start / {FS})
            yield self.OUTPUT, AxisArray(GIVEN[start : start + {CHUNK}], ["time", "ch"], {{"time": axis}})


class Sink(ez.Unit):
    INPUT = ez.InputStream(AxisArray)

    async def initialize(self):
        self.parts, self.stamps = [], []

    @ez.subscriber(INPUT)
    async def take(self, message):
        self.parts.append(message.data)
        self.stamps.append(message.axes["time"].value(np.arange(len(message.data))))
        if sum(map(len, self.parts)) >= np.load("wanted.npy"):
            np.savez("made.npz", data=np.concatenate(self.parts), stamps=np.concatenate(self.stamps))
            raise ez.NormalTermination


if __name__ == "__main__":
    ez.run(
        SOURCE=Source(),
        CLEAN=Clean(),
        SINK=Sink(),
        connections=(("SOURCE/OUTPUT", "CLEAN/INPUT"), ("CLEAN/OUTPUT", "SINK/INPUT")),
        force_single_process=True,
    )
"""

MNE_LSL = f"""
import numpy as np
from lines import Clean
from mne_lsl.lsl import StreamInfo, StreamOutlet
from mne_lsl.stream import StreamLSL

given, taken = np.load("given.npy") / 1000, []
info = StreamInfo("bed", "ECG", 2, {FS}, "float64", "bed-of-lines")
info.set_channel_names(["I", "II"])
info.set_channel_types("ecg")
info.set_channel_units("V")
outlet = StreamOutlet(info)
stream = StreamLSL(len(given) / {FS}, source_id="bed-of-lines").connect(acquisition_delay=None, timeout=60)


def note(data, timestamps, info):
    taken.extend(timestamps)
    return data, timestamps


clean = Clean(stream.info["sfreq"], len(stream.ch_names))
stream.add_callback(note).add_callback(clean)
outlet.wait_for_consumers(60)
for start in range(0, len(given), 100):
    outlet.push_chunk(given[start : start + 100])
    while len(taken) < min(start + 100, len(given)):
        stream.acquire()
data, stamps = stream.get_data()
np.savez("made.npz", data=data.T, stamps=stamps, taken=taken, delay_s=clean.delay_s)
stream.disconnect()
"""


def run_lines(named, script, folder):
    """What a script saves that runs the lines in which something is named; and what is right."""
    (lines,) = [block.text for block in blocks_of(ROOT / "docs" / "python.md") if named in block.text]
    given = SyntheticPatient(leads=("I", "II"), fs=FS, seed=3).read(0, 8 * FS).data.astype(np.float64).T
    denoiser = Denoiser(FS, 2)
    right = np.concatenate([denoiser.push(part.T).data.T for part in np.split(given, len(given) // CHUNK)])
    np.save(folder / "given.npy", given)
    np.save(folder / "wanted.npy", len(right))
    (folder / "lines.py").write_text(lines, encoding="utf-8")
    (folder / "run.py").write_text(script, encoding="utf-8")
    run_python(["run.py"], folder, MNE_LSL_LIB=str(next(iter(liblsl.__path__))) + "/liblsl.so")
    return np.load(folder / "made.npz"), right


def test_a_unit_of_ezmsg_cleans_what_comes_and_keeps_its_time(tmp_path):
    made, right = run_lines("import ezmsg", EZMSG, tmp_path)
    np.testing.assert_array_equal(made["data"], right)
    np.testing.assert_allclose(made["stamps"], 5 + np.arange(len(right)) / FS)


def test_a_callback_of_mne_lsl_cleans_what_comes_and_moves_its_stamps(tmp_path):
    made, right = run_lines("def __call__(self, data, timestamps, info)", MNE_LSL, tmp_path)
    held = round(float(made["delay_s"]) * FS)
    assert np.isnan(made["data"][:held]).all()
    there = made["data"][held:]
    assert 0 <= len(right) - len(there) <= held
    np.testing.assert_allclose(1000 * there, right[: len(there)], atol=1e-4)
    np.testing.assert_allclose(made["stamps"], made["taken"] - made["delay_s"])
