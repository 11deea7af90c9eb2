"""XDF files as a recorder writes them."""

import struct

import numpy as np

FORMATS = {"float32": "<f4", "double64": "<f8", "int32": "<i4", "int16": "<i2"}


def chunk(tag, content, stream=None):
    body = struct.pack("<H", tag) + (b"" if stream is None else struct.pack("<I", stream)) + content
    return b"\x04" + struct.pack("<I", len(body)) + body


def header(stream, fs, channels, kind="float32", type_="ECG", name="bed"):
    """Channels are their labels, units and types."""
    told = "".join(
        f"<channel><label>{label}</label><unit>{unit}</unit><type>{each}</type></channel>"
        for label, unit, each in channels
    )
    text = (
        f"<?xml version='1.0'?><info><name>{name}</name><type>{type_}</type>"
        f"<channel_count>{len(channels)}</channel_count><nominal_srate>{fs}</nominal_srate>"
        f"<channel_format>{kind}</channel_format><desc><channels>{told}</channels></desc></info>"
    )
    return chunk(2, text.encode(), stream)


def samples(stream, stamps, rows, kind="float32"):
    """A chunk of samples, (samples, channels), each with its stamp; None stands for one that goes on."""
    content = b"\x04" + struct.pack("<I", len(rows))
    for stamp, row in zip(stamps, rows, strict=True):
        content += b"\x00" if stamp is None else b"\x08" + struct.pack("<d", stamp)
        content += np.asarray(row).astype(FORMATS[kind]).tobytes()
    return chunk(3, content, stream)


def marker(stream, stamp, text):
    content = b"\x01\x01\x08" + struct.pack("<d", stamp) + b"\x01" + bytes([len(text)]) + text.encode()
    return chunk(3, content, stream)


def offset(stream, when, seconds):
    """What a recorder measured of a sender's clock."""
    return chunk(4, struct.pack("<dd", when, seconds), stream)


def written(file, *parts):
    begin = b"XDF:" + chunk(1, b"<?xml version='1.0'?><info><version>1.0</version></info>")
    file.write_bytes(begin + b"".join(parts))
    return file
