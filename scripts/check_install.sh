#!/usr/bin/env bash
# Install morered as people do, outside the checkout and without a compiler, and use it: the wheel on every Python >= 3.12 that is
# here, the sdist, each extra with one call of it, and the environment of envs/morered.yaml. What is installed is what the index
# offers today, not the lock. uv's cache makes it quick; `make setup` fills it.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
uv=$checkout/.cache/uv/bin/uv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH VIRTUAL_ENV PYTHONDONTWRITEBYTECODE
export UV_LINK_MODE=${UV_LINK_MODE:-hardlink} UV_PYTHON_DOWNLOADS=never PIP_DISABLE_PIP_VERSION_CHECK=1

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

# The first Python of each version from 3.12 on, one a line.
pythons() {
  local candidate version
  declare -A seen
  for candidate in "$checkout/.venv/bin/python" python3.{12..19} "$HOME"/.pyenv/versions/3.{12..19}.*/bin/python python3; do
    version=$("$candidate" -c 'import sys; v = sys.version_info; assert v >= (3, 12); print(*v[:2], sep=".")' 2>/dev/null) || continue
    [ -n "${seen[$version]:-}" ] && continue
    seen[$version]=1
    "$candidate" -c 'import os, sys; print(os.path.realpath(sys.executable))'
  done
}

# An environment of its own, with pip where asked for, and what is installed in it.
new() { # NAME PYTHON [OPTION...]
  "$uv" venv --quiet --python "$2" "${@:3}" "$work/$1"
}
install() { # NAME REQUIREMENT...
  PATH=$work/$1/bin "$uv" pip install --quiet --python "$work/$1/bin/python" "${@:2}"
}

# A command with nothing on its path but the environment: no compiler, no shell, no variable of this one.
in_env() { # NAME COMMAND...
  (cd "$work/there" && env -i HOME="$work/home" PATH="$work/$1/bin" OMP_NUM_THREADS=1 PYTHONWARNINGS="ignore::UserWarning" "${@:2}")
}

relaxes() { # NAME
  in_env "$1" morered relax ethanol.xyz -o out.xyz --table out.csv -q
  grep -q ',converged,' "$work/there/out.csv"
  in_env "$1" python -c "
import ase.io, morered
assert morered.__file__.startswith('$work'), morered.__file__
relaxed = morered.relax(ase.io.read('ethanol.xyz'))
assert relaxed.info['verdict'] == 'converged', relaxed.info
"
}

mkdir "$work/there" "$work/home"
cat >"$work/there/ethanol.xyz" <<'XYZ'
9

C  1.19 -0.37 0.02
C  0.05 0.56 -0.03
O  -1.20 -0.30 0.03
H  -1.93 0.38 0.02
H  2.10 0.22 -0.04
H  1.18 -1.03 0.93
H  1.12 -0.99 -0.86
H  0.01 1.19 0.92
H  0.05 1.17 -0.91
XYZ

mapfile -t found < <(pythons)
first=${found[0]}

"$uv" build --quiet --python "$first" --out-dir "$work/dist" .
wheel=$(echo "$work"/dist/*.whl)
sdist=$(echo "$work"/dist/*.tar.gz)
say "built $(basename "$wheel") and $(basename "$sdist")"

for python in "${found[@]}"; do
  name=wheel-$("$python" -c 'import sys; print(*sys.version_info[:2], sep=".")')
  if [ "$python" = "$first" ]; then name=core; fi
  if [ "$name" = core ]; then new core "$python" --seed; else new "$name" "$python"; fi
  install "$name" "$wheel"
  relaxes "$name"
  say "the wheel relaxes on $("$python" --version)"
done

new sdist "$first"
install sdist "$sdist"
relaxes sdist
say "the sdist relaxes, built without a compiler"

# One call of what each extra brings, which without it is refused in one line, and the command of that line does bring it.
called=" "
extra() { # NAME COMMAND...
  local name=$1 told
  shift
  called+="$name "
  if told=$(in_env core "$@" 2>&1); then
    echo "check_install: '$*' worked without the extra $name" >&2
    exit 1
  fi
  if [[ $told != *"python -m pip install 'morered[$name]'"* ]]; then
    echo "check_install: '$*' does not tell of the extra $name: $told" >&2
    exit 1
  fi
  if [ "$name" = xtb ]; then  # as printed; the others by uv, which takes a tenth of the time
    PATH=$work/core/bin "$work/core/bin/python" -m pip install -qq 'morered[xtb]'
  else
    install core "morered[$name]"
  fi
  in_env core "$@" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
  say "extra $name: $(printf '%.60s' "$(echo "$*" | head -n 1)")"
}

# First, because other extras bring requests and pyyaml along.
extra workflow python -c "
from morered.datasets import download
from morered.study import Study
Study({'study': 'mine', 'libraries': {'own': {'file': 'own.smi'}}, 'figures': []})
import snakemake
"
extra xtb morered relax ethanol.xyz -o out.xyz --method gfn2 -q
extra mmff morered relax ethanol.xyz -o out.xyz --method mmff94-openbabel -q
extra aimnet2 morered relax ethanol.xyz -o out.xyz --method aimnet2 -q
extra so3lr morered relax ethanol.xyz -o out.xyz --method so3lr -q
extra dft morered energy -s O --basis sto-3g --no-mbd -q
extra train python -c "
import morered.training as training
from morered.datasets import qm7
from morered.settings.networks import ModelConfig
from morered.settings.training import training_config
minima = qm7.load().without_columns()[:32]
model = ModelConfig(features=8, interactions=1, radial_basis=6)
settings = {'batch_size': 8, 'learning_rate': 1e-3, 'schedule': 'constant', 'max_steps': 4, 'device': 'cpu', 'compile': 'never'}
training.train(model, training_config(settings, model.kind), minima, minima, 'trained', progress=False)
"
extra schnetpack python -c "
from morered.settings.networks import ModelConfig
from morered.models.networks import build
build(ModelConfig(features=8, interactions=1, radial_basis=6, engine='schnetpack'))
"
extra figures python -c "
from morered.datasets.cifar10 import from_photographs
from morered.figures.catalogue.figA1 import drawing
from_photographs()
drawing.draw(drawing.numbers(samples=100), 'figA1')
"
for name in $("$first" -c "
import tomllib
print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies'].keys() - {'all', 'dev', 'qm9'})"); do
  [[ $called == *" $name "* ]] || { echo "check_install: no call of the extra $name" >&2; exit 1; }
done
relaxes core

# What conda would do with the pip part of envs/morered.yaml, and Snakemake after it.
awk '/^ +- pip:/ { inside = 1; next } inside { sub(/^ +- /, ""); print }' envs/morered.yaml >"$work/conda.txt"
new conda "$first" --seed
install conda --requirement "$work/conda.txt"
tar -xzf "$sdist" -C "$work"
(cd "$work/$(basename "$sdist" .tar.gz)" && PATH=$work/conda/bin:$PATH sh "$checkout/envs/morered.post-deploy.sh")
relaxes conda
say "the pip part of envs/morered.yaml relaxes"
