"""How much arithmetic a network does."""

from models.spec import ClassicalSpec, NetworkSpec


def macs(spec: NetworkSpec | ClassicalSpec) -> int:
    """Multiply-accumulates of one window of all leads that the network takes together.

    Counted by torch while the network runs on tensors without data: convolutions, matrix products
    and recurrent layers; additions, activations and norms are left out, as is usual.
    """
    if isinstance(spec, ClassicalSpec):
        return 0
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        spec.build().eval()(torch.empty(1, spec.leads, spec.window))
    # A multiplication and an addition are one.
    return int(counter.get_total_flops()) // 2
