"""What can go wrong on purpose."""
