"""The benches of the literature and of this project."""
