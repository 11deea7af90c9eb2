import lsl_outlets  # noqa: F401 - keeps liblsl on this machine
import numpy as np
import pytest

from streamer.errors import InputError
from streamer.lsl.metadata import Channel, pick_leads, read_channels
from streamer.lsl.network import load_pylsl


def described(count, channels):
    info = load_pylsl().StreamInfo("any", "ECG", count, 250, "float32", "any")
    element = info.desc().append_child("channels")
    for fields in channels:
        channel = element.append_child("channel")
        for key, value in fields.items():
            channel.append_child_value(key, value)
    return info


@pytest.mark.parametrize(
    ("unit", "millivolts"),
    [
        ("V", 1e3),
        ("volts", 1e3),
        ("mV", 1.0),
        ("millivolts", 1.0),
        ("uV", 1e-3),
        ("µV", 1e-3),
        ("μV", 1e-3),
        ("microvolts", 1e-3),
        ("nanovolts", 1e-6),
    ],
)
def test_units_by_every_name(unit, millivolts):
    channels = read_channels(described(1, [{"label": "II", "unit": unit, "type": "ECG"}]))
    np.testing.assert_allclose(pick_leads(channels).millivolts, [millivolts])


def test_scaling_factor_of_the_metadata_counts():
    fields = {"label": "II", "unit": "uV", "type": "ECG", "scaling_factor": "0.5"}
    np.testing.assert_allclose(pick_leads(read_channels(described(1, [fields]))).millivolts, [0.5e-3])


@pytest.mark.parametrize("factor", ["0", "-1", "nan", "inf", "a lot", ""])
def test_a_senseless_scaling_factor_is_not_believed(factor):
    fields = {"label": "II", "unit": "mV", "scaling_factor": factor}
    assert read_channels(described(1, [fields]))[0].factor == 1


def test_there_are_as_many_channels_as_the_stream_has():
    assert [c.label for c in read_channels(described(3, []))] == ["ch1", "ch2", "ch3"]
    assert len(read_channels(described(1, [{"label": name} for name in "abcdef"]))) == 1


def test_labels_are_told_apart_and_printable():
    hostile = "II\n\x1b[31m" + "x" * 500
    channels = read_channels(described(4, [{"label": t} for t in ("II", "II", hostile, "")]))
    labels = [channel.label for channel in channels]
    assert labels[:2] == ["II", "II#2"]
    assert labels[2].isprintable()
    assert len(labels[2]) <= 80
    assert labels[3] == "ch4"


def test_ecg_channels_are_chosen_and_others_left():
    channels = [
        Channel("I", "ECG", "mV"),
        Channel("resp", "RESP", "mV"),
        Channel("counter", "counter", "samples"),
        Channel("V1", "ecg", "uV"),
    ]
    leads = pick_leads(channels)
    assert leads.names == ("I", "V1")
    assert leads.columns == (0, 3)
    np.testing.assert_allclose(leads.millivolts, [1, 1e-3])


def test_without_types_the_voltages_are_leads():
    leads = pick_leads([Channel("a", "", "uV"), Channel("pressure", "", "mmHg")])
    assert leads.names == ("a",)
    assert "pressure (mmHg)" in leads.notes[0]


def test_leads_that_are_named_are_taken_in_that_order():
    channels = [Channel("I", "ECG", "mV"), Channel("count", "counter", ""), Channel("II", "ECG", "mV")]
    leads = pick_leads(channels, ("II", "count"), scale=0.25)
    assert leads.columns == (2, 1)
    np.testing.assert_allclose(leads.millivolts, [0.25, 0.25])


@pytest.mark.parametrize(
    ("channels", "options", "said"),
    [
        ([Channel("II", "ECG", "")], {}, "II no unit"),
        ([Channel("II", "ECG", "counts")], {}, "state it with --unit"),
        ([Channel("II", "ECG", "mV")], {"wanted": ("V9",)}, "it has: II"),
        ([Channel("x", "EMG", "mV")], {}, "no ECG channel, only: x"),
        ([Channel("II", "ECG", "mV")], {"unit": "kV"}, "allowed: V, mV, uV, counts"),
        ([Channel("II", "ECG", "mV")], {"unit": "counts"}, "--scale"),
        ([Channel("II", "ECG", "mV")], {"unit": "mV", "scale": 2.0}, "--scale with counts"),
        ([Channel("II", "ECG", "mV")], {"scale": 0.0}, "other than 0"),
        ([Channel("II", "ECG", "mV")], {"scale": float("nan")}, "other than 0"),
    ],
)
def test_what_cannot_be_in_millivolts_is_refused(channels, options, said):
    with pytest.raises(InputError, match=said):
        pick_leads(channels, **options)


def test_a_stated_unit_beats_the_metadata():
    channels = [Channel("II", "ECG", "mV")]
    np.testing.assert_allclose(pick_leads(channels, unit="uV").millivolts, [1e-3])
    np.testing.assert_allclose(pick_leads(channels, unit="counts", scale=0.002).millivolts, [0.002])
