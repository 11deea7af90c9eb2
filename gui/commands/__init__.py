"""The commands of this package, and how a run is shown, one file each."""
