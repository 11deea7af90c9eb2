"""Many beds: one engine a core, each with its share of them, and a page that shows them all."""
