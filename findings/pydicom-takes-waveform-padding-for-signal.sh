#!/usr/bin/env bash
# pydicom 3.0.2, seen 27 November 2026: Dataset.waveform_array scales every sample, also those that equal
# the group's Waveform Padding Value (5400,100A), the standard's mark for "no sample here". A lead at
# 4.88 uV a unit with padding of -32768 shows a spike of -159 908 uV. Different units of channels in a
# group (uV, mV) are not brought together either: the numbers are in each channel's own unit.
#
# For us: padding becomes NaN before anything looks at the numbers, and units are read for each channel.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pydicom==3.0.2 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian


def code(value, scheme, meaning):
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def channel(unit, sensitivity):
    item = Dataset()
    item.ChannelSourceSequence = [code("2:2", "MDC", "Lead II")]
    item.ChannelSensitivity = sensitivity
    item.ChannelSensitivityUnitsSequence = [code(unit, "UCUM", unit)]
    item.ChannelSensitivityCorrectionFactor, item.ChannelBaseline = "1", "0"
    item.WaveformBitsStored = 16
    return item


samples = np.array([[0, 0], [100, 100], [-32768, -32768], [100, 100]], "<i2")
group = Dataset()
group.MultiplexGroupTimeOffset, group.WaveformOriginality, group.SamplingFrequency = "0", "ORIGINAL", "500"
group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 2, len(samples)
group.ChannelDefinitionSequence = [channel("uV", "4.88"), channel("mV", "0.00488")]
group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
group.WaveformPaddingValue = np.array([-32768], "<i2").tobytes()
group.WaveformData = samples.tobytes()
dataset = Dataset()
dataset.file_meta = FileMetaDataset()
dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
dataset.WaveformSequence = [group]
read = dataset.waveform_array(0)
print(read)
assert np.isclose(read[2, 0], -159907.84)
assert np.isclose(read[1, 0], 488.0) and np.isclose(read[1, 1], 0.488)
assert not np.isnan(read).any()
EOF
