"""Networks that clean an ECG: what they are, how they are trained, judged and exported."""
