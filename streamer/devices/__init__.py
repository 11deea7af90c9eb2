"""Amplifiers without Lab Streaming Layer: boards by BrainFlow, serial ports, belts by Bluetooth."""
