"""Commands as version 0.1 spelled them: they still work, and one line names the new spelling.

To be removed with the next version.
"""

_TRACKS = {"f": "track-f", "s": "track-s"}
_TIMED = {"--sweep": "sweep", "--screen": "screen", "--gpu-check": "gpu"}


def new_spelling(arguments: list[str]) -> tuple[list[str], str | None]:
    """Spell a command line anew.

    Returns
    -------
    arguments
        What to run.
    note
        What to say of it; None where nothing was spelled in an old way.
    """
    name, *rest = arguments or [""]
    old = name
    if name == "profile-lsl":
        now = ["profile", "lsl"]
    elif name == "frontier":
        now = ["evaluate", "frontier"]
    elif (
        name not in ("profile", "evaluate") or (rest and not rest[0].startswith("--")) or "--help" in rest[:1]
    ):
        return arguments, None
    elif name == "evaluate":
        option, given = _take(rest, "--track", "--report")
        old = f"evaluate {option} {given}" if option else name
        now = ["evaluate", *(["tables", given] if option == "--report" else [_TRACKS.get(given, given)])]
    else:
        option = next((word for word in rest if word in _TIMED), "")
        if not option:
            # A short form that stays.
            return ["profile", "hops", *rest], None
        rest.remove(option)
        old, now = f"profile {option}", ["profile", _TIMED[option]]
    return [*now, *rest], f"note: `ecg-stream {old}` is now `ecg-stream {' '.join(now)}`"


def _is_option(word: str) -> bool:
    """Whether a word is an option of what is now a command of a group; its help is the group's."""
    return word.startswith("--") and word != "--help"


def _take(words: list[str], *options: str) -> tuple[str, str]:
    """Take one of these options and its value out of the words; track f is what used to be the default."""
    for place, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option in options and (equals or place + 1 < len(words)):
            value = value if equals else words[place + 1]
            del words[place : place + (1 if equals else 2)]
            return option, value
    return "", "f"
