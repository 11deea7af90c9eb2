"""The soak test: a day of patients with every fault."""
