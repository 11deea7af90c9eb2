#!/usr/bin/env bash
# onnxruntime 1.32.0 (the wheel for Linux), seen 28 November 2026: opening a session writes a number of this
# machine and a data base of events into the user's cache, to be sent to Microsoft. disable_telemetry_events()
# comes too late for both. ORT_DISABLE_TELEMETRY=1, set before the import, prevents them.
#
# For us: `models` sets the variable, and a test looks for traces in an empty home.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$work"
cat > opens.py <<'EOF'
import sys

import onnx
import onnxruntime

if sys.argv[1:] == ["api"]:
    onnxruntime.disable_telemetry_events()
value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
other = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [other])
model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
EOF
traces() {
    mkdir "$work/$1"
    env -i PATH="$PATH" HOME="$work/$1" "${@:3}" venv/bin/python opens.py $2
    (cd "$work/$1" && find . -type f | sort)
}
left=$(traces left "")
api=$(traces api api)
off=$(traces off "" ORT_DISABLE_TELEMETRY=1)
printf 'left alone:\n%s\ndisable_telemetry_events():\n%s\nORT_DISABLE_TELEMETRY=1:\n%s\n' "$left" "$api" "$off"
[[ $left == *deviceid* && $api == *deviceid* && -z $off ]]
