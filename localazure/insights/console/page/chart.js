// Series over time, drawn by uPlot in the colours of the page.

import { h, styled } from "./dom.js";

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** `series`: [{ label, colour (of the page's), values, bars, dash }]; `unit(value)` writes a value. Returns `{ element, draw }`. */
export function chart(label, unit, height, signal) {
  const place = h("div", { class: "chart", role: "img", "aria-label": label });
  const legend = h("div", { class: "legend" });
  const element = h("figure", null, h("figcaption", null, label, legend), place);
  let plot;
  let last;
  const draw = (at, series) => {
    last = [at, series];
    const values = [at, ...series.map((each) => (each.bars ? each.values.map((value) => value || null) : each.values))];
    legend.replaceChildren(...series.map((each, place) => {
      const latest = each.bars ? each.values.reduce((sum, value) => sum + value, 0) : each.values.findLast((value) => value !== null);
      return h("span", { class: "key" }, styled(h("i", { class: "swatch" }), { background: `var(${each.colour})` }),
        `${each.label} `, h("b", { "data-latest": place }, latest === undefined ? "–" : unit(latest)));
    }));
    const shape = series.map((each) => each.label).join();
    if (plot && plot.shape === shape) { plot.setData(values); return; }
    plot?.destroy();
    plot = new uPlot(options(series, unit, place, height, legend), values, place);
    plot.shape = shape;
  };
  const resize = new ResizeObserver(() => plot?.setSize({ width: Math.max(place.clientWidth, 100), height }));
  resize.observe(place);
  const again = () => { if (!last) return; plot?.destroy(); plot = null; draw(...last); };
  window.addEventListener("theme", again, { signal });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again, { signal });
  signal.addEventListener("abort", () => { resize.disconnect(); plot?.destroy(); plot = null; });
  return { element, draw };
}

function options(series, unit, place, height, legend) {
  const axis = { stroke: tone("--quiet"), grid: { stroke: tone("--line"), width: 1 }, ticks: { stroke: tone("--line") }, font: "11px system-ui" };
  return {
    width: Math.max(place.clientWidth, 100), height, legend: { show: false }, padding: [8, 8, 0, 0],
    cursor: { y: false, points: { size: 6 } },
    scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), (most ?? 1) * 1.1 || 1] } },
    axes: [{ ...axis, size: 30, values: (_, ticks) => ticks.map(time) }, { ...axis, size: 64, values: (_, ticks) => ticks.map(unit) }],
    hooks: { setCursor: [(plot) => tell(plot, series, unit, legend)] },
    series: [{}, ...series.map((each) => ({
      label: each.label, stroke: tone(each.colour), width: 1.6, points: each.bars ? { show: false } : { show: (plot, place) => lonely(plot.data[place]), size: 5 },
      dash: each.dash, spanGaps: false,
      fill: each.bars ? tone(each.colour) : undefined, paths: each.bars ? uPlot.paths.bars({ size: [0.8, 40] }) : undefined,
    }))],
  };
}

/** Points are drawn where a line has few: one alone would not be seen. */
const lonely = (values) => values.filter((value) => value !== null && value !== undefined).length < 40;

function time(seconds) {
  const at = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(at.getHours())}:${two(at.getMinutes())}${seconds % 60 ? `:${two(at.getSeconds())}` : ""}`;
}

/** What lies under the pointer, in the legend. */
function tell(plot, series, unit, legend) {
  const index = plot.cursor.idx;
  for (const place of series.keys()) {
    const value = index === null || index === undefined ? undefined : plot.data[place + 1][index];
    const shown = legend.querySelector(`[data-latest="${place}"]`);
    if (shown && value !== undefined) shown.textContent = value === null ? "–" : unit(value);
  }
}
