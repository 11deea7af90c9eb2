"""Strips on paper: PDF and PNG at true millimetres."""
