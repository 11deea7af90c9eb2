"""The panel at the right: figures for clinicians, trends, events, engineering."""
