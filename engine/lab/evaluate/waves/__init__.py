"""Waves: boundaries, intervals, heights and ST of cleaned leads, against manual marks and clean leads."""
