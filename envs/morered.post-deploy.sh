#!/bin/sh
# Snakemake runs this in the checkout once it has made the environment of morered.yaml, which is then active: morered itself.
set -eu
python -m pip install --quiet --no-deps --editable .
