"""Which leads are meant by what a user wrote."""

from collections.abc import Sequence


def choose_leads(asked: Sequence[str], known: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names among `known`, in the order in which they were asked for, and what is none of them.

    Parameters
    ----------
    asked
        A list of names that was cut at its commas. A name may hold a comma itself: pieces are put
        together again where they make a known name, the longest one first.
    """
    by_pieces = {tuple(piece.strip() for piece in name.split(",")): name for name in known}
    pieces = [piece.strip() for piece in asked]
    chosen: list[str] = []
    unknown: list[str] = []
    at = 0
    while at < len(pieces):
        ends = range(len(pieces), at, -1)
        end = next((end for end in ends if tuple(pieces[at:end]) in by_pieces), None)
        if end is None:
            unknown.append(pieces[at])
            at += 1
        else:
            chosen.append(by_pieces[tuple(pieces[at:end])])
            at = end
    return chosen, unknown
