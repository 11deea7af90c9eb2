"""What networks invent, lose and bend, and where the guard's limits come from."""
