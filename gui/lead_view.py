"""What a person chose for single leads: order, visibility, and gain beside that of the others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

GAINS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Times the gain of the page that a lead can have."""


@dataclass(frozen=True)
class LeadView:
    """Choices by the name of a lead, as `gui.lead_names.written`; they hold in every stream that has it.

    Parameters
    ----------
    order
        Leads that stand first, from the top; all others follow as the stream has them.
    hidden
        Leads that are not shown.
    gains
        Names and times the gain of the page, each one of `GAINS`.
    """

    order: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    gains: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        wrong = [gain for _, gain in self.gains if gain not in GAINS]
        if wrong:
            raise ValueError(f"the gain of a lead must be one of {GAINS}, got {wrong[0]}")

    def ordered(self, names: Sequence[str]) -> list[int]:
        """Numbers of all leads in their order.

        Parameters
        ----------
        names
            Of the leads of a stream.
        """
        places = {name: place for place, name in enumerate(self.order)}
        return sorted(range(len(names)), key=lambda lead: places.get(names[lead], len(places)))

    def shown(self, names: Sequence[str]) -> list[int]:
        """Numbers of the leads that are shown, in their order; all where none would be left."""
        ordered = self.ordered(names)
        return [lead for lead in ordered if names[lead] not in self.hidden] or ordered

    def hidden_text(self, names: Sequence[str]) -> str:
        """How many leads of a stream are hidden, for a person; empty where none is."""
        count = len(names) - len(self.shown(names))
        return f"{count} hidden" if count else ""

    def gain(self, name: str) -> float:
        """Times the gain of the page."""
        return dict(self.gains).get(name, 1.0)

    def with_gain(self, name: str, gain: float) -> "LeadView":
        """The same with another gain of a lead."""
        others = {each: own for each, own in self.gains if each != name}
        own = {} if gain == 1.0 else {name: gain}
        return replace(self, gains=tuple((others | own).items()))

    def with_gain_stepped(self, name: str, by: int) -> "LeadView":
        """The same with the next larger (1) or smaller (-1) gain of a lead, as far as there is one."""
        at = GAINS.index(self.gain(name)) + by
        return self.with_gain(name, GAINS[max(0, min(at, len(GAINS) - 1))])

    def with_shown(self, name: str, on: bool) -> "LeadView":
        """The same with a lead shown, or hidden."""
        others = tuple(each for each in self.hidden if each != name)
        return replace(self, hidden=others if on else (*others, name))

    def with_moved(self, name: str, by: int, names: Sequence[str]) -> "LeadView":
        """The same with a lead moved up (-1) or down (1) past its neighbour; at the end it stays."""
        order = [names[lead] for lead in self.ordered(names)]
        shown = [names[lead] for lead in self.shown(names)]
        at = shown.index(name) + by
        if not 0 <= at < len(shown):
            return self
        first, second = order.index(name), order.index(shown[at])
        order[first], order[second] = order[second], order[first]
        return replace(self, order=tuple(order))

    # as text, to be remembered

    @classmethod
    def of(cls, text: str) -> "LeadView":
        """What `text` wrote; raises `ValueError` for anything else."""
        try:
            known = json.loads(text)
            order, hidden = (tuple(map(str, known[key])) for key in ("order", "hidden"))
            return cls(
                order, hidden, tuple((str(name), float(gain)) for name, gain in known["gains"].items())
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"not the choices for leads: {text!r}") from error

    def text(self) -> str:
        """One line that `of` reads."""
        return json.dumps({"order": self.order, "hidden": self.hidden, "gains": dict(self.gains)})
