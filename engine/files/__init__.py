"""Whole files: read in blocks, cleaned, written again in their own format."""
