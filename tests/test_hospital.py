"""What hospitals are told: every sample once, in order, gaps as gaps, and of whom the user said."""

import asyncio
import json
from datetime import UTC, datetime
from itertools import groupby

import hl7
import numpy as np
import pytest
from hospital_tools import BEGAN, FS, LEADS, Listener, gap, piece, samples_of
from log_tools import brokers
from typer.testing import CliRunner

from ecg_stream.command_line import commands
from streamer.errors import InputError
from streamer.partition import partition_of
from ward.hospital.fhir_observation import observation, write_observation
from ward.hospital.hl7_message import oru_r01
from ward.hospital.leads import code_of
from ward.hospital.mllp import Receiver, parse_receiver
from ward.hospital.run import Plan, tell
from ward.hospital.stretches import RAW, Stretches
from ward.hospital.who import Who, read_beds
from ward.log.broker import cleaned_subject, open_log
from ward.log.frames import Message, encode

WHO = Who("pat|7", "ICU^2^7")


def cut(pieces, seconds=1.0, first=None):
    stretches = Stretches(seconds, first)
    return [each for one in pieces for each in stretches.push(one)] + list(stretches.end()), stretches


def test_a_bed_is_cut_at_whole_seconds_and_gaps_however_its_pieces_lie():
    pieces = [piece("b", 30, 100), piece("b", 130, 145), gap("b", 275, 310), piece("b", 310, 90)]
    whole, _ = cut(pieces)
    assert [(each.start, each.stop) for each in whole] == [
        (30, 100), (100, 200), (200, 275), (310, 400)
    ]  # fmt: skip
    assert whole[-1].first_time == datetime.fromtimestamp(BEGAN + 3.1, UTC)
    small = [piece("b", start, 5) for start in (*range(30, 275, 5), *range(310, 400, 5))]
    again, left = cut(small, first=30)
    assert [each.identifier for each in again] == [each.identifier for each in whole]
    assert all(np.array_equal(one.values, other.values) for one, other in zip(again, whole, strict=True))
    # Nobody has said that these never came.
    assert left.lost == 35
    assert len({each.identifier for each in whole}) == 4
    assert {len(each.identifier) for each in whole} == {20}


def test_one_who_goes_on_from_a_sample_cuts_as_before():
    pieces = [piece("b", 0, 170), piece("b", 170, 230)]
    whole, _ = cut(pieces)
    rest, _ = cut(pieces, first=whole[1].stop)
    assert [each.identifier for each in rest] == [each.identifier for each in whole[2:]]


def test_a_message_of_hl7_has_units_times_with_their_zone_gaps_and_whose_it_is():
    (stretch,), _ = cut([piece("b", 0, 100, lost=(3, 4), bypassed=range(10))])
    message = hl7.parse(oru_r01(stretch, WHO))
    head = message.segment("MSH")
    assert (str(head(9)), str(head(10)), str(head(7))) == (
        "ORU^R01^ORU_R01", stretch.identifier, "20270115080000.9900+0000"
    )  # fmt: skip
    assert message.unescape(str(message.segment("PID")(3))) == "pat|7"
    assert str(message.segment("PV1")(3)) == "ICU^2^7"
    first, rate, second, _ = message.segments("OBX")
    assert str(first(3)) == "131330^MDC_ECG_ELEC_POTL_II^MDC^II^^L"
    assert str(second(3)) == "131328^MDC_ECG_ELEC_POTL^MDC^MLII^^L"
    assert str(first(6)) == "266418^MDC_DIM_MILLI_VOLT^MDC"
    assert (str(rate(5)), str(rate(6))) == ("100", "264608^MDC_DIM_PER_SEC^MDC")
    assert (str(first(8)), str(second(8))) == ("QUES", "")
    assert str(message.segment("NTE")(3)) == "10 of 100 samples bypassed (beats missing)"
    found = samples_of(str(message))
    assert found["II"] == {n: n / 1000 for n in range(100)}
    assert found["MLII"] == {n: -n / 1000 for n in range(100) if n not in (3, 4)}
    assert "cleaned" in str(first(17))
    (raw,) = Stretches(1.0, signal=RAW).push(piece("b", 0, 100))
    assert samples_of(oru_r01(raw, WHO, RAW))["II"][7] == pytest.approx(5.007)


def test_names_of_any_letters_separate_nothing_and_stay_themselves():
    (stretch,), _ = cut([piece("b", 0, 100)])
    text = oru_r01(stretch, Who(r"Łódź|心&~\7", "Süd^3^7"))
    message = hl7.parse(text.encode().decode("utf-8"))
    assert message.unescape(str(message.segment("PID")(3))) == r"Łódź|心&~\7"
    assert str(message.segment("PV1")(3)) == "Süd^3^7"
    assert len(message) == len(hl7.parse(oru_r01(stretch, WHO)))


def test_an_observation_of_fhir_holds_the_same(tmp_path):
    from fhir.resources.R4B.observation import Observation

    (stretch,), _ = cut([piece("b", 0, 100, lost=(3, 4), bypassed=range(10))])
    file = write_observation(tmp_path, stretch, WHO)
    assert [each.name for each in tmp_path.iterdir()] == [f"{stretch.identifier}.json"]
    read = Observation.model_validate_json(file.read_text())
    assert (read.code.coding[0].system, read.code.coding[0].code) == ("urn:iso:std:iso:11073:10101", "131328")
    assert read.effectivePeriod.start == datetime.fromtimestamp(BEGAN, UTC)
    assert read.effectivePeriod.end == datetime.fromtimestamp(BEGAN + 0.99, UTC)
    assert read.subject.identifier.value == "pat|7"
    first, second = read.component
    assert [each.code.coding[0].code for each in read.component] == ["131330", "131328"]
    assert [each.code.text for each in read.component] == list(LEADS)
    data = second.valueSampledData
    assert (data.origin.code, float(data.period), data.dimensions) == ("mV", 1000 / FS, 1)
    texts = data.data.split()
    assert [n for n, text in enumerate(texts) if text == "E"] == [3, 4]
    assert float(first.valueSampledData.data.split()[99]) == 0.099
    assert read.note[0].text == "II: 10 of 100 samples bypassed (beats missing)"
    # Numbers are numbers, as FHIR has them.
    assert json.loads(file.read_text())["component"][0]["valueSampledData"]["period"] == 10
    located = observation(stretch, Who(location="ICU^2^7"))
    assert (located.subject.type, located.subject.identifier.value) == ("Location", "ICU^2^7")


@pytest.mark.parametrize(
    ("lead", "code"),
    [("I", 131329), ("ii", 131330), ("V1", 131331), ("V6", 131336), ("III", 131389), ("aVR", 131390),
     ("aVF", 131392), ("MLII", 131328), ("V7", 131328)],
)  # fmt: skip
def test_leads_have_their_codes(lead, code):
    assert code_of(lead).number == code


def test_what_is_not_accepted_is_sent_again_in_order():
    told = []

    async def run():
        answers = ("AE", "AR", "silent", "hang up", "hang up, accepted", "CA", "AA")
        async with Listener(*answers) as listener:
            receiver = Receiver("127.0.0.1", listener.port, told.append, answer_s=0.3, again_s=(0.0,))
            whole, _ = cut([piece("b", 0, 300)])
            for each in whole:
                assert await receiver.send(oru_r01(each, WHO), each.identifier, asyncio.Event())
            await receiver.close()
        return listener, [each.identifier for each in whole], receiver

    listener, wanted, receiver = asyncio.run(run())
    # One that was accepted and whose answer was lost came again, the same and known by its identifier.
    assert [key for key, _ in groupby(listener.heard)] == wanted
    assert list(listener.accepted) == wanted
    assert listener.heard.count(wanted[0]) >= 6
    assert receiver.attempts == len(listener.heard) - 3
    assert "it says AE" in told[0]


def test_one_who_is_told_to_stop_does_not_wait_for_a_receiver_that_is_not_there():
    async def run():
        stop = asyncio.Event()
        receiver = Receiver("127.0.0.1", 1, lambda line: stop.set(), again_s=(600.0,))
        return await receiver.send("MSH", "1", stop)

    assert not asyncio.run(run())


def test_a_hospital_gets_every_sample_once_though_all_are_started_anew(tmp_path):
    """From the log over a broker: two beds of those that are on it, two runs, one message is refused."""
    beds = [f"bed {number}" for number in range(60)]
    # Two of one partition, and one more.
    one, other = next((a, b) for a in beds for b in beds if a < b and partition_of(a) == partition_of(b))
    told_not = next(each for each in beds if partition_of(each) != partition_of(one))

    async def put(log, *pieces):
        for each in pieces:
            content = encode(Message([each], 1))
            await log.js.publish(cleaned_subject(partition_of(each.bed)), content)

    async def until_heard(log, listener, count, **more):
        receiver = Receiver("127.0.0.1", listener.port, print, again_s=(0.0,))
        stop = asyncio.Event()

        async def hand(stretch, stop):
            done = await receiver.send(oru_r01(stretch, WHO), stretch.identifier, stop)
            if len(listener.accepted) == count:
                stop.set()
            return done

        plan = Plan((one, other), "there", 1.0, **more)
        told = await tell(log, plan, hand, stop)
        await receiver.close()
        return {each.bed: each for each in told}

    async def run(url):
        log = await open_log(url)
        try:
            async with Listener("AA", "AE") as listener:
                await put(log, piece(one, 0, 250), piece(told_not, 0, 250), piece(other, 0, 130))
                first = await until_heard(log, listener, 3, from_start=True)
                await put(log, gap(one, 250, 280), piece(one, 280, 120), piece(other, 130, 70))
                # It has lost what the log had no more: nobody has cleaned these.
                await put(log, piece(other, 250, 50))
                second = await until_heard(log, listener, 8)
            return listener, first, second
        finally:
            await log.close()

    with brokers(tmp_path) as broker:
        listener, first, second = asyncio.run(run(broker.url))
    assert (first[one].samples, first[other].samples) == (200, 100)
    assert second[one].lost == 0
    times = [time for message in listener.accepted.values() for time in samples_of(message)["II"]]
    wanted = [*range(250), *range(280, 400), *range(200), *range(250, 300)]
    assert sorted(times) == sorted(wanted)
    assert (second[other].samples, second[other].lost) == (150, 50)
    assert len(listener.heard) == len(listener.accepted) + 1


def test_another_sender_to_the_same_place_is_told(tmp_path):
    from ward.hospital.places import Place, open_places

    async def run(url):
        log = await open_log(url)
        try:
            first, second = [await open_places(log, "there") for _ in range(2)]
            assert await first.begin("b", 7) == Place(None, 7)
            await first.keep("b", Place(100, 9))
            assert await second.begin("b", 70) == Place(100, 9)
            await second.keep("b", Place(200, 11))
            with pytest.raises(InputError, match="another `ecg-stream hospital`"):
                await first.keep("b", Place(200, 12))
        finally:
            await log.close()

    with brokers(tmp_path) as broker:
        asyncio.run(run(broker.url))


@pytest.mark.parametrize(
    ("content", "why"),
    [("", "names no bed"), ("a = 3", "does not say who"), ('["a"]\nname = "x"', "does not say who"),
     ('["a"]\npatient = "a\\rb"', "letters on one line"), ('["a"]\npatient = ""', "letters on one line"),
     ("[", "is not TOML")],
)  # fmt: skip
def test_a_file_that_does_not_say_whose_beds_they_are_is_refused(tmp_path, content, why):
    file = tmp_path / "beds.toml"
    file.write_text(content, "utf-8")
    with pytest.raises(InputError, match=why):
        read_beds(file)


def test_beds_are_told_as_the_user_says(tmp_path):
    file = tmp_path / "beds.toml"
    file.write_text('["bed 7"]\npatient = "4711"\n["bed 8"]\nlocation = "ICU^2^8"\n')
    assert read_beds(file) == {"bed 7": Who("4711"), "bed 8": Who(location="ICU^2^8")}
    with pytest.raises(InputError, match="cannot read"):
        read_beds(tmp_path / "none.toml")


def test_options_that_cannot_be_are_refused(tmp_path):
    for text in ("2575", "host:", "host:0", "host:x"):
        with pytest.raises(InputError, match="HOST:PORT"):
            parse_receiver(text)
    assert parse_receiver("[::1]:2575") == ("::1", 2575)
    file = tmp_path / "beds.toml"
    file.write_text('["a"]\npatient = "1"\n')
    words = ["hospital", "--nats", "nats://127.0.0.1:1", "--beds", str(file)]
    for more, why in (
        ([], "give --hl7 or --fhir"),
        (["--hl7", "h:1", "--fhir", str(tmp_path)], "give --hl7 or --fhir"),
        (["--hl7", "h:1", "--signal", "x"], "--signal"),
    ):
        error = CliRunner().invoke(commands, [*words, *more]).exception
        assert isinstance(error, InputError)
        assert why in str(error)
