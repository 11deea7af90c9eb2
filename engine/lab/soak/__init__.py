"""A day of patients with every fault."""
