"""Count the multiply-accumulate operations of a network."""

from models.spec import ClassicalSpec, NetworkSpec


def macs(spec: NetworkSpec | ClassicalSpec) -> int:
    """Multiply-accumulates of one window of all leads that the network takes together.

    For a stateful network: of as many new samples. Counted by torch while the network runs,
    mostly on tensors without data: convolutions, matrix products and recurrent layers; additions,
    activations and norms are left out, as is usual.
    """
    if isinstance(spec, ClassicalSpec):
        return 0
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    # A stateful network chooses its precision by the device, which tensors without data do not have.
    with (
        torch.device("cpu" if spec.steps else "meta"),
        torch.no_grad(),
        FlopCounterMode(display=False) as counter,
    ):
        network, windows = spec.build().eval(), torch.empty(1, spec.leads, spec.window)
        if spec.steps:
            network(windows, torch.zeros(1, spec.steps.state), torch.tensor(0))
        else:
            network(windows)
    # A multiplication and an addition count as one.
    return int(counter.get_total_flops()) // 2


def macs_per_s(spec: NetworkSpec | ClassicalSpec, hop_s: float) -> float:
    """Multiply-accumulates for a second of one lead, with an inference every `hop_s`."""
    # A stateful network sees each sample once, however long the hop.
    every_s = spec.window / spec.fs if isinstance(spec, NetworkSpec) and spec.steps else hop_s
    return macs(spec) / spec.leads / every_s
