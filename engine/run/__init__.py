"""One run: its process, its streams, and what stands in for a network that cannot keep up."""
