#!/usr/bin/env python3
"""Writes dtypes.npz, and expected.json for all npz files here, with NumPy 2.4.6.

The other npz files come from the golden data of the motion file API, and are
kept as they are.
"""

import glob
import hashlib
import json
import os
import warnings

import numpy as np

os.chdir(os.path.dirname(os.path.abspath(__file__)))
warnings.simplefilter("ignore")  # a float beyond float16 becomes infinite

rng = np.random.default_rng(1)
edges = [0.0, -0.0, 1.0, -1.5, 65504.0, 65519.99, 65520.0, -65520.0, 1e300, 2.0**-14, 2.0**-24, 2.0**-25,
         np.nextafter(2.0**-25, 1), 1.5 * 2.0**-24, 2.5 * 2.0**-24, 2.0**-14 - 2.0**-25, 1 + 2.0**-11, 1 + 3 * 2.0**-11,
         1 + 2.0**-11 + 2.0**-40, 2047.5, 2048.5, 5e-324, np.inf, -np.inf, np.nan]
halves = np.arange(65536, dtype=np.uint16).view(np.float16)
arrays = {
    "halves": halves[~np.isnan(halves)][::37],
    "halves_edges": np.array([0, 1, 0x3ff, 0x400, 0x7bff, 0x7c00, 0x7e00, 0x8000, 0x8001, 0xfc00], np.uint16).view(np.float16),
    "f4": np.array(edges, np.float32),
    "f8": np.array(edges),
    "f8_random": np.ldexp(rng.standard_normal(200), rng.integers(-30, 18, 200)),
    "bool": np.array([[True, False, True]]),
    "scalar": np.array(7),
    "empty": np.zeros((2, 0, 3), np.float32),
    "fortran_text": np.asfortranarray([["a", "bc", ""], ["髪", "😀é", "x\0y"]]),
    "big_text": np.array(["髪_3", "Root"], ">U6"),
    "bytes": np.array(["髪".encode(), b"Root", b""]),
    "fortran_4d": np.asfortranarray(np.arange(120, dtype=np.int16).reshape(2, 3, 4, 5)),
    "键": np.array([1, 2], np.int8),
}
for order in "<>":
    for size in (1, 2, 4, 8):
        i = np.iinfo(f"i{size}")
        arrays[f"{order}i{size}"] = np.array([i.min, -1, 0, 1, i.max], f"{order}i{size}")
        u = np.iinfo(f"u{size}")
        arrays[f"{order}u{size}"] = np.array([0, 1, min(u.max, 2**63 - 1)], f"{order}u{size}")
    for size in (2, 4, 8):
        arrays[f"{order}f{size}"] = np.array([1.5, -2.25, 1e-3], f"{order}f{size}")
np.savez_compressed("dtypes.npz", **arrays)


def bits(a, dtype):
    """The bytes of the values in C order, or the SHA-256 of many."""
    data = a.astype(dtype).tobytes(order="C")
    return data.hex() if a.size <= 32 else "sha256:" + hashlib.sha256(data).hexdigest()


def described(a):
    d = {"shape": list(a.shape)}
    if a.dtype.kind == "U":
        return d | {"strings": a.flatten().tolist()}
    if a.dtype.kind == "S":
        return d | {"strings": [s.decode() for s in a.flatten().tolist()]}
    if a.dtype.kind in "iub":
        d["ints"] = a.astype(np.int64).flatten().tolist()
    return d | {"f2": bits(a, "<f2"), "f4": bits(a, "<f4"), "f8": bits(a, "<f8")}


expected = {}
for name in sorted(glob.glob("*.npz")):
    with np.load(name, allow_pickle=False) as f:
        keys = [k for k in f.files if (name, k) != ("object.npz", "cutoff_ranges")]
        expected[name] = {k: described(f[k]) for k in keys}
with open("expected.json", "w") as out:
    out.write("{")
    for i, (name, entries) in enumerate(expected.items()):
        out.write("," * (i > 0) + f"\n\n{json.dumps(name)}: {{")
        for j, (key, array) in enumerate(entries.items()):
            text = json.dumps(array, ensure_ascii=False)
            out.write("," * (j > 0) + f"\n  {json.dumps(key, ensure_ascii=False)}: {text}")
        out.write("}")
    out.write("}\n")
