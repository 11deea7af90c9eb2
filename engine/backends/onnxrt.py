"""ONNX Runtime on the CPU: the backend that needs nothing else."""

from typing import TYPE_CHECKING, cast

import numpy as np

from engine.backends.base import Batch, State, check_batch, check_step
from models.registry import ModelCard
from models.spec import StepSpec
from streamer.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxBackend:
    """Runs the exported graph with one thread, unless told otherwise.

    More threads gain little on one window and lose much when another process is busy: two
    threads beside one busy core raised the p99 from 1.6 to 5.9 ms.
    """

    name = "onnx"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, card: ModelCard, threads: int = 1) -> None:
        self._session = _open_session(card, threads)
        self.leads, self._window = card.spec.leads, card.spec.window

    def infer(self, batch: Batch) -> Batch:
        """Clean windows (rows, leads, window); the result is new memory."""
        check_batch(batch, self.leads, self._window)
        return cast(Batch, self._session.run(None, {"noisy": batch})[0])

    def close(self) -> None:
        """Free the session."""
        del self._session


class OnnxSteps:
    """The same for a network that keeps state."""

    name = "onnx"
    transfers_ns = (0, 0)
    fixed_rows: tuple[int, ...] = ()

    def __init__(self, card: ModelCard, steps: StepSpec, threads: int = 1) -> None:
        self._session = _open_session(card, threads)
        self.leads, self.steps = card.spec.leads, steps

    def step(self, samples: Batch, state: State, lookahead: int) -> tuple[Batch, State]:
        """Take samples (rows, 1, samples) with their state; answer and state are new memory."""
        check_step(samples, state, lookahead, self.steps)
        fed = {"noisy": samples, "state": state, "lookahead": np.array(lookahead)}
        answer, after = self._session.run(None, fed)
        return cast(Batch, answer), cast(State, after)

    def close(self) -> None:
        """Free the session."""
        del self._session


def _open_session(card: ModelCard, threads: int) -> "InferenceSession":
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning worker steals the core that the screen needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(graph_of(card), options, providers=["CPUExecutionProvider"])


def graph_of(card: ModelCard) -> bytes:
    """The exported graph of a network, as serialized ONNX."""
    if not card.onnx_path.is_file():
        raise InputError(
            f"model {card.spec.name!r} has no graph at {card.onnx_path}; run "
            f"`ecg-stream export {card.spec.name} --format onnx`"
        )
    return card.onnx_path.read_bytes()
