"""The page that sets what was published beside what our networks reach on the same protocol."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from models.benches.track_s_figures import PUBLISHED, SNRS

Row = dict[str, Any]

_MORE = "ecg-stream train {} --track s --mixing {} --snr {}"
_PUBLISHED_GATED = 6.44, 10.84
_PUBLISHED_SMALL = 0.0750, 0.0369
_EASIER = {
    "old": "each noise scaled, then averaged: a third of the noise power. **Easier**: the input is 5.4 dB "
    "better than said",
    "new": "the sum of the noises, scaled to the SNR that is said",
}


def papers_page(
    track_s: Iterable[Row],
    notebooks: Iterable[Row],
    unfinished: Mapping[tuple[str, str, float], str] = MappingProxyType({}),
) -> str:
    """Markdown made from the rows of both results files, and what runs without a result have come to."""
    rows = list(track_s)
    parts = [
        _HEAD,
        *_table_s(rows, unfinished),
        "",
        *_mixings(),
        "",
        _NOTEBOOKS_HEAD,
        *_notebooks(list(notebooks)),
        _OPEN,
    ]
    return "\n".join(parts)


def _table_s(rows: list[Row], unfinished: Mapping[tuple[str, str, float], str]) -> list[str]:
    lines = [
        "| system | emb, mixing | in | published | ours | difference | epochs | minutes | what remains |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    ours = {(row["system"], row["mixing"], row["snr_db"]): row for row in rows if row["noise"] == "emb"}
    known = list(dict.fromkeys((system, mixing) for system, mixing, _ in ours))
    for system, mixing in [*known, *(each for each in PUBLISHED if each not in known)]:
        published = dict(zip(SNRS, PUBLISHED.get((system, mixing), ()), strict=False))
        for level in SNRS:
            row, claim = ours.get((system, mixing, level)), published.get(level)
            if row is None and claim is None:
                continue
            given, found = "", ""
            remains = f"`{_MORE.format(system, mixing, f'{level:g}')}`"
            if (system, mixing, level) in unfinished:
                remains += f"; {unfinished[system, mixing, level]}"
            if row is not None:
                given, found = f"{row['snr_in_db']:.2f}", f"{row['snr_out_db']:.2f}"
                remains = _why(row, claim)
            difference = "" if row is None or claim is None else f"{row['snr_out_db'] - claim:+.2f}"
            text = "" if claim is None else f"{claim:.2f}"
            epochs, minutes = (_figure(row, "epochs"), _figure(row, "minutes"))
            cells = (
                system,
                f"{level:g} dB, {mixing}",
                given,
                text,
                found,
                difference,
                epochs,
                minutes,
                remains,
            )
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def _figure(row: Row | None, name: str) -> str:
    return "" if row is None or name not in row else f"{row[name]:g}"


def _why(row: Row, claim: float | None) -> str:
    if claim is None:
        return "nobody published this mixing" if row["system"] != "identity" else "no processing at all"
    if abs(row["snr_out_db"] - claim) <= 0.3:
        return "agrees: within 0.3 dB, on other random windows"
    return "differs by more than 0.3 dB: random windows, one run, and details that no paper gives"


def _mixings() -> list[str]:
    return [f"- Mixing `{name}`: {text}." for name, text in _EASIER.items()]


def _notebooks(rows: list[Row]) -> list[str]:
    gated = [row for row in rows if row["system"] == "cdae-bam"]
    small = [row for row in rows if row["system"] == "cnn-autoencoder"]
    lines = [
        "| system | figure | published | ours, mean (lowest … highest of the seeds) | seeds | epochs |",
        "|---|---|---|---|---|---|",
    ]
    if gated:
        before, after = _PUBLISHED_GATED
        lines += [
            _line(gated, "three test windows: SNR in, dB", f"{before:.2f}", [r["snr_in_db"] for r in gated]),
            _line(gated, "three test windows: SNR out, dB", f"{after:.2f}", [r["snr_out_db"] for r in gated]),
            _line(
                gated,
                "three test windows: gain, dB",
                f"{after - before:.2f}",
                [r["snr_out_db"] - r["snr_in_db"] for r in gated],
            ),
        ]
        for record in gated[0]["records_db"]:
            gains = [out - given for given, out in (row["records_db"][record] for row in gated)]
            lines.append(_line(gated, f"all windows of record {record} but those 10 s: gain, dB", "", gains))
        means = [np.mean([out - given for given, out in row["records_db"].values()]) for row in gated]
        lines.append(_line(gated, "mean of the five records: gain, dB", "", means))
    if small:
        train, test = _PUBLISHED_SMALL
        lines += [
            _line(small, "MSE, 12 training windows", f"{train:.4f}", [r["train_mse"] for r in small], 4),
            _line(small, "MSE, 3 validation windows", f"{test:.4f}", [r["test_mse"] for r in small], 4),
            _line(small, "MSE of no processing, the 3", "", [r["test_mse_in"] for r in small], 4),
        ]
    return lines


def _line(rows: list[Row], what: str, published: str, ours: list[Any], digits: int = 2) -> str:
    low, middle, high = min(ours), float(np.mean(ours)), max(ours)
    figures = f"{middle:.{digits}f} ({low:.{digits}f} … {high:.{digits}f})"
    cells = rows[0]["system"], what, published, figures, str(len(rows)), str(rows[0]["epochs"])
    return f"| {' | '.join(cells)} |"


_HEAD = """# What the papers say and what we measured

Each published system on its own protocol, beside what was published: whether our networks are theirs.
How well they clean unseen patients is another question ([Quality](quality.md)). The page is made from
`docs/results/track-s` and `docs/results/notebooks` by one command:

<!-- test: parse, because it writes this page, and what `ecg-stream models` shows of Track S -->
```
ecg-stream evaluate papers docs/results --out docs/papers.md --ship
```

## Track S

Random windows of 2 × 256 samples of MIT-BIH, with the same patients and noises in training and test;
one network for each SNR; joint SNR of both leads, offset included, dB, mean over 2000 test windows. A
row without ours has no result: its command stands in the last column, and the same command goes on where
it was stopped; of a run that was begun, beside it, how far it came. Rows of different mixings must not
be compared.
"""
_NOTEBOOKS_HEAD = """## Two notebooks

`cdae-bam` learns from 11 windows of the first 10 s of record 100 and is tested on 3 of the same 10 s;
"mains" there are at 6 Hz. `cnn-autoencoder` learns from the first 5.7 s of the records of NSTDB, of
which twelve are two, each six times: what is tested on was learnt. Neither says anything of other
patients; the rows of whole records do, a little. Weights are drawn as Keras draws them: with torch's
own, the small autoencoder's twenty steps are too few to forget where it began.

<!-- test: parse, because it takes a minute; seeds 42 to 46 were run -->
```
ecg-stream train cdae-bam cnn-autoencoder --track notebook --seed 42 --out docs/results/notebooks
```
"""
_OPEN = """
The notebooks' noise has no seed, so the one figure of each has a spread as wide as ours.

## Not reproduced

- RA-LENet (12.18 dB at −4 dB of emb): its windows lie around R peaks, scaled by the clean ECG; that
  bench is not built.
- Ude-net and DR-net: no figures were published, and the records and noise that they were trained on
  are not to be had.
- The README of `cnn-autoencoder` names an MSE of 0.0012 "(example)", for which it has neither code nor
  data.
"""
