"""Where cleaned samples go: a recording, an LSL stream."""
