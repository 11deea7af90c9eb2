"""What the screen costs: frames, memory over hours, its start, and what it does to the engine beside it.

Signals are fed in faster than life, the clock is not: hours pass in seconds, and each frame that is
timed draws what a frame at real speed would have to draw.
"""
