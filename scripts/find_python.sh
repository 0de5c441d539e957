#!/bin/sh
# Print a Python >= 3.12: the one named in $PYTHON, one on PATH, one of pyenv's; nothing if there is none.
for candidate in "$PYTHON" python3.12 python3.13 python3 "$HOME"/.pyenv/versions/3.12*/bin/python \
  "$HOME"/.pyenv/versions/3.13*/bin/python python3.14; do
  [ -n "$candidate" ] || continue
  if path=$("$candidate" -c 'import sys; v = sys.version_info; assert v >= (3, 12); print(sys.executable)' 2>/dev/null); then
    echo "$path"
    exit 0
  fi
done
