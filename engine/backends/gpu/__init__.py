"""What every backend on an NVIDIA GPU needs: the driver, captured graphs, fixed shapes, a heartbeat."""
