"""Track safety (beats that networks invent, erase or distort), and the tuning of the guard's limits."""
