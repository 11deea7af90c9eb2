"""TensorRT: which of its two libraries serves this GPU, plans on disk, and running one."""
