"""`ecg-stream profile …`: what the window costs."""
