"""ONNX Runtime on the CPU: the backend that needs nothing else."""

from engine.backends.base import Entry, Inputs, Outputs, Runtime
from models.graphs import open_session
from models.registry import ModelCard
from streamer.console.installed import why_missing


class OnnxRuntime(Runtime):
    """Runs the exported graph with one thread, unless told otherwise.

    More threads gain little on one window and lose much when another process is busy: two
    threads beside one busy core raised the p99 from 1.6 to 5.9 ms.
    """

    name = "onnx"

    def __init__(self, card: ModelCard, threads: int = 1) -> None:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning worker steals the core that the screen needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = open_session(card, options)

    def run(self, inputs: Inputs) -> Outputs:
        """Run the graph."""
        outputs: Outputs = self._session.run(None, inputs)
        return outputs

    def close(self) -> None:
        """Free the session."""
        del self._session


BACKEND = Entry(
    why_not=lambda options: why_missing(["onnxruntime"]),
    open=lambda card, options, threads: OnnxRuntime(card, threads),
)
