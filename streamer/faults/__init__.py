"""Faults on purpose, for trials: of body, electrodes, amplifier and connection."""
