"""Networks that clean an ECG: what they are, how they are trained, judged and exported."""

import os

# ONNX Runtime's wheels (1.32) tell Microsoft what runs, and keep a number of this machine in the user's
# cache, unless they are told not to before they are first imported. A patient's machine tells nobody.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
