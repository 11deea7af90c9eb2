"""A toy backend: the exported graph, node by node in numpy, by ONNX's own reference implementation."""

from engine.backends.base import Entry, Inputs, Options, Outputs, Runtime
from models.graphs import graph_of
from models.registry import ModelCard
from streamer.console.installed import why_missing


class ToyRuntime(Runtime):
    """Slow, and right: it has no kernels of its own that could be wrong."""

    name = "toy"

    def __init__(self, card: ModelCard) -> None:
        # Imported here: who runs another backend need not have it.
        import onnx
        from onnx.reference import ReferenceEvaluator

        self._evaluator = ReferenceEvaluator(onnx.load_from_string(graph_of(card)))

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph: arrays by the names of its inputs, to arrays in the order of its outputs."""
        outputs: Outputs = self._evaluator.run(None, dict(inputs))
        return outputs


def why_not(options: Options) -> str | None:
    """Say what is missing here and what to do; None where nothing is."""
    return why_missing(["onnx"], "train")


def open_toy(card: ModelCard, options: Options, threads: int) -> Runtime:
    """Load a network; numpy decides over threads by itself, and there are no options."""
    return ToyRuntime(card)


BACKEND = Entry(why_not, open_toy)
