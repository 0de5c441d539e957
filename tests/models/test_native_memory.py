"""The kernels' memory never hands out what lies beyond its end, whatever one group of molecules takes after another."""

import shutil
import subprocess

import pytest

from morered.models.native import library

PROGRAM = """
#include <cstdio>
#define private public  // to see where the memory ends
#include "network.h"
int main() {
    for (int64_t rest = 0; rest < 64; ++rest)
        for (int64_t more = 0; more < 64; ++more) {
            Memory memory;
            for (int64_t count : {rest + 1000, rest + 1000 + more}) {
                memory.reset();
                memory.take(40);
                const float* piece = memory.take(count);
                const float* end = memory.storage_.data() + memory.storage_.size();
                if (memory.grown_ || piece + count <= end) continue;
                std::printf("%ld floats beyond\\n", long(piece + count - end));
                return 1;
            }
        }
    return 0;
}
"""


def test_no_piece_reaches_beyond_the_end(tmp_path):
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.fail("there is no C++ compiler")
    (tmp_path / "main.cpp").write_text(PROGRAM)
    flags = ["-std=c++17", "-O0", f"-I{library.FOLDER}"]
    subprocess.run([compiler, *flags, str(tmp_path / "main.cpp"), "-o", str(tmp_path / "main")], check=True)
    done = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
