"""Reverse diffusion: one step (Algorithm 2 of the paper), when it stops, and what is done with doubtful results."""
