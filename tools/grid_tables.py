#!/usr/bin/env python3
"""Writes src/kernels/grid_tables.inc: the code books of GGUF's IQ formats.

An entry is 8 (IQ1, IQ2) or 4 (IQ3) values. Each value is one of a few levels, so an entry is kept
as the numbers of its levels, 2 bits each (IQ3: 3), the first value lowest. The levels themselves
stand in grid_blocks.cpp.

Needs: pip install gguf==0.19.0
"""

import pathlib

import numpy as np
from gguf import quants

OUT = pathlib.Path(__file__).resolve().parents[1] / "src/kernels/grid_tables.inc"


def entries(kind, bits):
    kind.init_grid()
    levels = list(kind.grid_map)
    grid = kind.grid.reshape(kind.grid_shape)
    return [sum(levels.index(value) << bits * place for place, value in enumerate(row))
            for row in grid.astype(np.int64).tolist()]


def main():
    lines = ["// The code books of GGUF's IQ formats, written by tools/grid_tables.py; do not edit."]
    for kind, bits in ((quants.IQ1_S, 2), (quants.IQ2_XXS, 2), (quants.IQ2_XS, 2),
                       (quants.IQ2_S, 2), (quants.IQ3_XXS, 3), (quants.IQ3_S, 3)):
        words = entries(kind, bits)
        name = kind.qtype.name.replace("_", "").capitalize()
        lines.append(f"constexpr u16 k{name}Grid[{len(words)}] = {{")
        for at in range(0, len(words), 12):
            lines.append("    " + " ".join(f"{word:#x}," for word in words[at:at + 12]))
        lines.append("};")
    OUT.write_text("\n".join(lines) + "\n")


main()
