"""One file per network. `NETWORKS` in `models.registry` names them."""
