"""Cards: read into a record that is whole, or refused."""

import json
from dataclasses import asdict, replace

import pytest

from models.card import Training, read_card, read_record, write_card
from models.registry import load_card
from streamer.errors import InputError


@pytest.fixture
def shipped():
    return load_card("unet").trained


def changed(trained, **fields):
    return json.dumps(asdict(trained) | fields)


def test_a_card_comes_back_as_it_was_written(shipped, tmp_path):
    for trained in (shipped, replace(shipped, guard=None, track_f=None)):
        write_card(tmp_path / "card.json", trained)
        assert read_card(tmp_path / "card.json") == trained


def test_a_run_that_began_with_another_says_which(shipped, tmp_path):
    training = replace(shipped.training, begun_with=shipped.training, signal_s=3)
    write_card(tmp_path / "card.json", replace(shipped, training=training))
    assert read_card(tmp_path / "card.json").training.begun_with == shipped.training


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"gaurd": None}, "the card has the unknown field 'gaurd'"),
        ({"data": None}, "the card: data is None, not str"),
        ({"parity_mv": True}, "the card: parity_mv is True, not float"),
        ({"guard": {}}, "the card: guard lacks 'measured_on', 'contradiction'"),
        ({"guard": {"measured_on": "x", "contradiction": {}}}, "the card: guard: contradiction is {}, not"),
        ({"guard": {"measured_on": "x", "contradiction": [1]}}, "guard: contradiction 0 is 1, not an object"),
        ({"training": []}, r"the card: training is \[\], not an object"),
    ],
)
def test_a_card_with_a_wrong_field_is_refused(shipped, tmp_path, fields, words):
    path = tmp_path / "card.json"
    path.write_text(changed(shipped, **fields))
    with pytest.raises(InputError, match=f"model card .*card.json cannot be read: .*{words}"):
        read_card(path)


def test_a_card_without_a_field_is_refused(shipped, tmp_path):
    path = tmp_path / "card.json"
    for name in asdict(shipped):
        card = asdict(shipped)
        del card[name]
        path.write_text(json.dumps(card))
        with pytest.raises(InputError, match=f"the card lacks '{name}'"):
            read_card(path)


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_what_is_no_card_is_refused(tmp_path, text):
    path = tmp_path / "card.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"card\.json cannot be read"):
        read_card(path)


def test_whole_numbers_are_numbers(shipped):
    plain = asdict(shipped.training) | {"minutes": 3}
    assert read_record(Training, plain, "it").minutes == 3.0
    with pytest.raises(ValueError, match=r"it: steps_run is 1\.5, not int"):
        read_record(Training, plain | {"steps_run": 1.5}, "it")
