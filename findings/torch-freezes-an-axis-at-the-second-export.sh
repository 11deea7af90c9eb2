#!/usr/bin/env bash
# torch 2.13.0, seen 27 November 2026: torch.onnx.export(dynamo=True) of a module with a GRU, with the axes
# "rows" and "steps" declared as dynamic, keeps both the first time. The same call a second time in the same
# process, for a new module of the same class, says nothing and writes the example's number of steps into the
# graph: such a network answers no other length. A convolution keeps its axes.
#
# For us: each export runs in a process of its own, and its axes and its answers at a second shape are checked.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 numpy==2.4.6
cd "$work"
venv/bin/python -W ignore - <<'EOF'
import logging

import torch
from torch import nn

logging.disable(logging.WARNING)


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = nn.GRU(8, 8, batch_first=True) if kind == "GRU" else nn.Conv1d(8, 8, 3, padding=1)

    def forward(self, x, state):
        if isinstance(self.layer, nn.GRU):
            return self.layer(x, state)
        return self.layer(x.transpose(1, 2)).transpose(1, 2), state


def axes(kind):
    rows, steps = torch.export.Dim("rows"), torch.export.Dim("steps")
    program = torch.onnx.export(
        Recurrent(kind).eval(), (torch.randn(3, 5, 8), torch.randn(1, 3, 8)), dynamo=True, verbose=False,
        dynamic_shapes=({0: rows, 1: steps}, {1: rows}),
    )
    shape = program.model_proto.graph.input[0].type.tensor_type.shape
    return [axis.dim_param or axis.dim_value for axis in shape.dim]


for kind in ("Conv1d", "GRU"):
    first, second = axes(kind), axes(kind)
    print(kind, "first:", first, "second:", second)
    assert first == ["rows", "steps", 8]
    assert second == (["rows", 5, 8] if kind == "GRU" else first)
EOF
