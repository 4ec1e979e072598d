# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots as SVG text, nothing but the standard library."""
from html import escape

COLOURS = {"kcpvpn": "#1a5fb4", "kcptun": "#c64600", "bare": "#77767b", "limit": "#26a269"}
FALLBACK = ("#1a5fb4", "#c64600", "#26a269", "#813d9c")
FONT = 'font-family="sans-serif" font-size="12" fill="#333"'


def nice_ticks(top, n=5):
    """Round numbers from 0 to top or a little beyond"""
    step = top / n or 1
    size = 10 ** len(str(int(step))) / 10 if step >= 1 else 0.1
    step = next(m * size for m in (1, 2, 2.5, 5, 10, 20, 50, 100) if m * size >= step)
    return [i * step for i in range(int(-(-top // step)) + 1)]


class Plot:
    """A frame with axes from 0; the caller draws into it in its own units."""

    def __init__(self, title, x_label, y_label, x_top, y_top, width=640, height=320, x_ticks=None):
        self.width, self.height = width, height
        self.left, self.right, self.top, self.bottom = 64, 16, 34, 44
        self.y_ticks = nice_ticks(y_top)
        self.x_top, self.y_top = x_top or 1, self.y_ticks[-1]
        self.parts = [f'<text x="{width / 2}" y="18" text-anchor="middle" {FONT} font-weight="bold">{escape(title)}</text>',
                      f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle" {FONT}>{escape(x_label)}</text>',
                      f'<text x="14" y="{height / 2}" text-anchor="middle" {FONT} '
                      f'transform="rotate(-90 14 {height / 2})">{escape(y_label)}</text>']
        for tick in self.y_ticks:
            y = self.y(tick)
            self.parts.append(f'<line x1="{self.left}" y1="{y:.1f}" x2="{width - self.right}" y2="{y:.1f}" stroke="#ddd"/>')
            self.parts.append(f'<text x="{self.left - 6}" y="{y + 4:.1f}" text-anchor="end" {FONT}>{tick:g}</text>')
        for tick in x_ticks if x_ticks is not None else nice_ticks(x_top):
            if tick <= self.x_top:
                self.parts.append(f'<text x="{self.x(tick):.1f}" y="{height - 26}" text-anchor="middle" {FONT}>{tick:g}</text>')
        self.legend_x = self.left + 10

    def x(self, value):
        return self.left + value / self.x_top * (self.width - self.left - self.right)

    def y(self, value):
        return self.height - self.bottom - min(value, self.y_top) / self.y_top * (self.height - self.top - self.bottom)

    def legend(self, name, stroke):
        """The name behind a sample of its line"""
        x, y = self.legend_x, self.top + 8
        self.parts.append(f'<line x1="{x}" y1="{y}" x2="{x + 24}" y2="{y}" {stroke}/>'
                          f'<text x="{x + 29}" y="{y + 4}" {FONT}>{escape(name)}</text>')
        self.legend_x += 45 + 7 * len(name)

    def line(self, name, points, dashed=False):
        if not points:
            return
        colour = COLOURS.get(name.split()[0], FALLBACK[len(self.parts) % 4])
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        stroke = f'stroke="{colour}" stroke-width="2"' + (' stroke-dasharray="5 4"' if dashed else "")
        self.parts.append(f'<polyline points="{path}" fill="none" {stroke}/>')
        self.parts += [f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        self.legend(name, stroke)

    def dots(self, points, colour):
        self.parts += [f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="2" fill="{colour}"/>' for x, y in points]

    def marks(self, xs, colour):
        """Short strokes at the upper edge: what never came back"""
        self.parts += [f'<line x1="{self.x(x):.1f}" y1="{self.top}" x2="{self.x(x):.1f}" y2="{self.top + 12}" '
                       f'stroke="{colour}" stroke-width="1.5"/>' for x in xs]


def save(path, plots):
    """Plots below each other in one file"""
    height, width, body = 0, max(p.width for p in plots), []
    for plot in plots:
        body.append(f'<g transform="translate(0 {height})">' + "\n".join(plot.parts) + "</g>")
        height += plot.height
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
                f'<rect width="{width}" height="{height}" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n")
