"""The diffusion process: schedules, reproducible noise, the forward process and the losses."""
