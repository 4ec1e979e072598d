# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether datagrams show anything by their bytes."""

OFFSETS = 64
LEAST = 1280  # datagrams: five of each value at each offset are expected
# With 255 degrees of freedom no more than one of 10^9 random columns is above.
CHI_SQUARE_MAX = 409.0


def chi_square(column):
    """How far the bytes of a column are from being each as frequent as all others"""
    counts, expected = [0] * 256, len(column) / 256
    for byte in column:
        counts[byte] += 1
    return sum((n - expected) ** 2 for n in counts) / expected


def check(datagrams):
    """Fails if a byte at the same place of all datagrams is not as good as random; the worst figure"""
    long = [d for d in datagrams if len(d) >= OFFSETS]
    assert len(long) >= LEAST, f"{len(long)} datagrams tell nothing"
    worst = 0.0
    for columns, name in ((range(OFFSETS), "byte"), (range(-16, 0), "byte from the end")):
        for offset in columns:
            column = bytes(d[offset] for d in long)
            assert len(set(column)) > 1, f"{name} {offset} is always {column[0]:#x}"
            figure = chi_square(column)
            assert figure <= CHI_SQUARE_MAX, f"{name} {offset}: chi-square {figure:.0f}, allowed {CHI_SQUARE_MAX:.0f}"
            worst = max(worst, figure)
    return worst
