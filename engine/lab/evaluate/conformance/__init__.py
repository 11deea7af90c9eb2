"""Signals as standards and makers of monitors describe them, played through every stage of the engine."""
