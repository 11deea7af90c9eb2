"""A stage that pulls its input, driven by whoever has the input and wants what it is worth at once."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Pushed(Generic[In, Out]):
    """Hands items to a generator and takes what it makes of them, without ever letting it wait for more.

    Parameters
    ----------
    stage
        Makes an iterator of results out of one of items; where its items end, it flushes.
    is_mark
        Whether a result only says that the item before it is done. The last item of every `push` must
        make the stage yield one, after all that it makes of that item.
    """

    def __init__(
        self, stage: Callable[[Iterator[In]], Iterator[Out]], is_mark: Callable[[Out], bool]
    ) -> None:
        self._waiting: deque[In] = deque()
        self._is_mark = is_mark
        self._results = stage(self._items())

    def _items(self) -> Iterator[In]:
        while self._waiting:
            yield self._waiting.popleft()

    def push(self, items: Sequence[In]) -> list[Out]:
        """What the stage makes of these items and can give by now.

        Raises
        ------
        RuntimeError
            If an error ended the stage before.
        """
        self._waiting += items
        made: list[Out] = []
        for result in self._results:
            if not self._is_mark(result):
                made.append(result)
            elif not self._waiting:
                return made
        raise RuntimeError("an error has ended this stage; begin anew")

    def end(self) -> list[Out]:
        """What the stage still holds; nothing can be pushed afterwards."""
        return [result for result in self._results if not self._is_mark(result)]
