#!/bin/sh
# Make the environment in .venv from requirements.lock: bootstrap uv, find or fetch a Python >= 3.12, install morered.
#   TORCH=cpu   take PyTorch's small CPU build (from PyTorch's own index) instead of the lock's default one
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

if command -v uv >/dev/null 2>&1 && uv --version >/dev/null 2>&1; then
  uv=uv
else
  uv=.cache/uv/bin/uv
  if ! [ -x "$uv" ]; then
    echo "setup: installing uv into .cache/uv"
    python3 -m pip install --quiet --disable-pip-version-check --target .cache/uv uv
  fi
fi

python=$(sh scripts/find_python.sh)
if [ -z "$python" ]; then
  echo "setup: no Python >= 3.12 here, letting uv fetch one"
  "$uv" python install 3.12
  python=$("$uv" python find 3.12)
fi
echo "setup: $("$python" --version) at $python"

[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
# pymbd's numpy part is all that is used: an empty LIBMBD_PREFIX leaves its Fortran part out.
export LIBMBD_PREFIX=""
install="$uv pip install --quiet --python .venv/bin/python --compile-bytecode --build-constraints envs/build-constraints.txt"
if [ "${TORCH:-default}" = cpu ]; then
  mkdir -p .cache
  # Everything of the lock but torch and what only its CUDA build needs; each entry ends where the next name begins.
  awk '/^[a-zA-Z0-9]/ { keep = ($0 !~ /^(torch==|triton==|nvidia-|cuda-)/) } keep || /^#/' requirements.lock > .cache/requirements.cpu.txt
  torch=$(awk '/^torch==/ { print $1; exit }' requirements.lock)
  $install --torch-backend=cpu "$torch"
  $install --no-deps --require-hashes --requirement .cache/requirements.cpu.txt
else
  $install --no-deps --require-hashes --requirement requirements.lock
fi
# setuptools and nanobind are in the lock, so that building morered itself fetches nothing; its kernels take half a minute of CPU.
$install --no-deps --no-build-isolation --editable .
.venv/bin/python -m compileall -q src
