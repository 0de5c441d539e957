#!/bin/sh
# Make the environment in .venv from requirements.lock: bootstrap uv, find or fetch a Python >= 3.12, install morered.
# Every package is checked by its hash: uv itself (envs/uv.txt), what is installed (requirements.lock), and what the few packages
# without a wheel are built with (envs/build-constraints.txt).
#   TORCH=cpu   take PyTorch's small CPU build (from PyTorch's own index, by version) instead of the lock's default one
set -eu
cd "$(dirname "$0")/.."
unset PYTHONDONTWRITEBYTECODE VIRTUAL_ENV

uv=.cache/uv/bin/uv
version=$(awk -F '[= ]+' '/^uv==/ { print $2 }' envs/uv.txt)
if [ "$("$uv" --version 2>/dev/null | awk '{ print $2 }')" != "$version" ]; then
  echo "setup: installing uv $version into .cache/uv"
  rm -rf .cache/uv
  if python3 -m pip --version >/dev/null 2>&1; then
    python3 -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: \
      --target .cache/uv --requirement envs/uv.txt
  else
    uv pip install --quiet --require-hashes --only-binary :all: --target .cache/uv --requirement envs/uv.txt
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
install="$uv pip install --quiet --python .venv/bin/python --compile-bytecode --no-deps"
# pymbd's numpy part is all that is used: an empty LIBMBD_PREFIX leaves its Fortran part out.
export LIBMBD_PREFIX=""
locked="--require-hashes --preview-features build-dependency-hashes --require-build-hashes
  --build-constraints envs/build-constraints.txt"
if [ "${TORCH:-default}" = cpu ]; then
  # Everything of the lock but torch and what only its CUDA build needs; each entry ends where the next name begins.
  awk '/^[a-zA-Z0-9]/ { keep = ($0 !~ /^(torch==|triton==|nvidia-|cuda-)/) } keep || /^#/' requirements.lock > .cache/requirements.cpu.txt
  torch=$(awk '/^torch==/ { print $1; exit }' requirements.lock)
  $install --torch-backend=cpu "$torch"
  $install $locked --requirement .cache/requirements.cpu.txt
else
  $install $locked --requirement requirements.lock
fi
# What builds morered is in the lock, so that building it fetches nothing; its kernels take half a minute of CPU.
$install --no-build-isolation --editable .
.venv/bin/python -m compileall -q src
