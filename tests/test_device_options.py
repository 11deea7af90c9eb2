"""What stands on the command line reaches the device, and implies it."""

from dataclasses import fields

import pytest

from engine.commands.device_options import DeviceOptions
from engine.commands.play_job import implied_kind
from engine.commands.play_options import SourceOptions
from streamer.errors import InputError
from streamer.open_source import check_source, kind_of
from streamer.settings import SourceSettings
from streamer.sources import SOURCES


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (["board"], "brainflow"),
        (["board", "wait", "unit"], "brainflow"),
        (["port", "timeout", "scale"], "serial"),
        (["wait", "unit"], "lsl"),
        (["stream_name", "wait"], "lsl"),
        (["rhythm"], "synthetic"),
    ],
)
def test_an_option_implies_the_kind_that_has_it(given, kind):
    assert implied_kind(SourceOptions(), given) == kind


@pytest.mark.parametrize(
    "given", [["board", "port"], ["board", "record"], ["port", "stream_name"], ["record", "wait"]]
)
def test_options_of_two_kinds_are_refused(given):
    with pytest.raises(InputError, match="belong to sources of different kinds"):
        implied_kind(SourceOptions(), given)


def test_options_of_a_device_are_those_of_its_kind():
    given = DeviceOptions(port="/dev/x", rate="250").given
    settings = SourceSettings("serial:baud=9600", given=given)
    assert settings.options == {"baud": "9600", "port": "/dev/x", "rate": "250"}
    every = {name for kind in SOURCES for name in kind_of(kind).options}
    named = {name for name, _ in DeviceOptions(**{each.name: "1" for each in fields(DeviceOptions)}).given}
    assert named <= every


def test_an_option_of_another_kind_is_refused():
    settings = SourceSettings("serial", given=DeviceOptions(board="cyton").given)
    with pytest.raises(InputError, match="source 'serial' has no option 'board'; allowed: port, rate"):
        check_source(settings)


@pytest.mark.parametrize("kind", SOURCES)
def test_the_doctor_can_say_of_every_source_whether_it_works(kind):
    source = kind_of(kind)
    assert source.why_not() or source.there().startswith("works")
