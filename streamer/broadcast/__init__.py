"""A signal published as a device's stream."""
