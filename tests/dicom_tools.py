"""DICOM waveforms, made by pydicom."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, TwelveLeadECGWaveformStorage, generate_uid

PADDING = -32768
NAMES = ("Lead I (Einthoven)", "Lead II", "aortic pressure")


def dicom(file, rows, unit="uV", names=NAMES, **changes):
    """Leads at 500 Hz in steps of 5 µV from a baseline of 100, as twelve-lead objects have them."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = TwelveLeadECGWaveformStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.PatientName, made.AcquisitionDateTime = "Doe^Jo", "20240229115959"
    group = Dataset()
    group.SamplingFrequency = 500
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = rows.shape
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.WaveformPaddingValue = np.int16(PADDING).tobytes()
    channels = []
    for name in names[: len(rows)]:
        channel, source, measured = Dataset(), Dataset(), Dataset()
        source.CodeMeaning, source.CodeValue, source.CodingSchemeDesignator = name, "x", "MDC"
        measured.CodeValue = "mm[Hg]" if "pressure" in name else unit
        measured.CodingSchemeDesignator, measured.CodeMeaning = "UCUM", "unit"
        channel.ChannelSourceSequence, channel.ChannelSensitivityUnitsSequence = [source], [measured]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = 2.5, 2
        channel.ChannelBaseline, channel.ChannelSampleSkew = 100, 0
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group.ChannelDefinitionSequence = channels
    group.WaveformData = rows.T.astype("<i2").tobytes()
    for name, value in changes.items():
        setattr(group, name, value)
    made.WaveformSequence = [group]
    made.save_as(file, enforce_file_format=True)
    return file
