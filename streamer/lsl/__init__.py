"""Live ECG from Lab Streaming Layer."""
