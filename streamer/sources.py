"""The table of sources: a line for each, and nothing that is slow to import."""

SOURCES = {
    "synthetic": "streamer.synthetic",
    "replay": "streamer.records.replay",
    "lsl": "streamer.lsl.source",
    "brainflow": "streamer.devices.brainflow",
    "serial": "streamer.devices.serial_port",
    "polar": "streamer.devices.polar",
}
"""What ``--source`` takes, and the module whose ``SOURCE`` says how it is opened (`streamer.source_kind`)."""
