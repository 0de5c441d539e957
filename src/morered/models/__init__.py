"""Networks: representations, heads, the diffusion models and the force field, and their weights files."""
