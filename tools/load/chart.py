"""Small line charts as one SVG, light and dark, for pictures in docs/."""

import html
import math

STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#1c2430}.dim{fill:#5b6675}"
    ".head{font-weight:600}.axis{stroke:#c3cad3}.line0{stroke:#2f6fb0}.line1{stroke:#b8620b}"
    ".dot0,.name0{fill:#2f6fb0}.dot1,.name1{fill:#b8620b}.line{fill:none;stroke-width:2.5}"
    "@media(prefers-color-scheme:dark){text{fill:#e6ebf1}.dim{fill:#9aa7b6}.axis{stroke:#3a434f}"
    ".line0{stroke:#6aa9e6}.line1{stroke:#e8a04c}.dot0,.name0{fill:#6aa9e6}"
    ".dot1,.name1{fill:#e8a04c}}</style>")
WIDTH, PANEL, LEFT, TOP, PLOT = 760, 250, 70, 70, 170


def text(x, y, words, attributes=""):
    return f"<text x='{x:.1f}' y='{y:.1f}' {attributes}>{html.escape(str(words))}</text>"


def ticks(most):
    step = 10 ** math.floor(math.log10(most / 2))
    while most / step > 5:
        step *= 2.5 if math.log10(step) % 1 > 0.2 and math.log10(step) % 1 < 0.5 else 2
    return [step * i for i in range(int(most / step) + 1)]


def panel(top, title, places, lines):
    """`lines`: [(name, [value of each place])]."""
    most = max(max(values) for _, values in lines) * 1.05
    width = WIDTH - LEFT - 130

    def at(i, value):
        return LEFT + width * i / max(1, len(places) - 1), top + PLOT - PLOT * value / most
    out = [text(16, top - 18, title, "class='head'")]
    for tick in ticks(most):
        y = at(0, tick)[1]
        out.append(f"<line x1='{LEFT}' x2='{LEFT + width}' y1='{y:.1f}' y2='{y:.1f}' "
                   f"class='axis'/>")
        out.append(text(LEFT - 8, y + 4, f"{tick:g}", "class='dim' text-anchor='end'"))
    for i, place in enumerate(places):
        out.append(text(at(i, 0)[0], top + PLOT + 20, place, "class='dim' text-anchor='middle'"))
    ends = []
    for number, (name, values) in enumerate(lines):
        points = [at(i, value) for i, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        out.append(f"<polyline points='{path}' class='line line{number}'/>")
        out += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4' class='dot{number}'/>"
                for x, y in points]
        ends.append((points[-1][1], number, name))
    last = -math.inf
    for y, number, name in sorted(ends):
        last = max(y, last + 16)  # names do not cover each other
        out.append(text(LEFT + width + 10, last + 4, name, f"class='name{number}'"))
    return "\n".join(out)


def chart(title, about, places_name, places, panels):
    """`panels`: [(title, [(name, values)])]; every panel has the same places on its x axis."""
    height = TOP + PANEL * len(panels) + 6
    out = [f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' "
           f"aria-labelledby='t d'><title id='t'>{html.escape(title)}</title>"
           f"<desc id='d'>{html.escape(about)}</desc>{STYLE}",
           text(16, 24, about, "class='dim'")]
    for number, (head, lines) in enumerate(panels):
        out.append(panel(TOP + PANEL * number, head, places, lines))
    out.append(text(LEFT, height - 8, places_name, "class='dim'"))
    return "\n".join(out) + "</svg>\n"
