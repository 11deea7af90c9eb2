"""`ecg-stream FILE`: files that stand first are what is played."""

from itertools import takewhile

from streamer.records.path import path_of


def files_first(arguments: list[str]) -> list[str]:
    """Spell files at the beginning of a command line as ``--record``; leave any other as it is.

    Raises
    ------
    InputError
        If the first can only be a file, and is not there.
    """
    given = list(takewhile(lambda word: not word.startswith("-"), arguments))
    if not given or any(path_of(word) is None for word in given):
        return arguments
    return ["--record", ",".join(given), *arguments[len(given) :]]
