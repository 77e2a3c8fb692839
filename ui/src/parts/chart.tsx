// One uPlot chart. The picture is for eyes; the newest values stand beside it as text.
import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import uPlot from "uplot";

export interface Line { label: string; values: number[] }
interface Props { title: string; now: string; times: number[]; lines: Line[]; format: (n: number) => string; max?: number }

const colors = { light: ["#3b5bdb", "#c2255c"], dark: ["#91a7ff", "#faa2c1"] };

// With seconds where minutes would repeat themselves.
const clock = (_u: uPlot, at: number[], _axis: number, _space: number, step: number) =>
  at.map((t) => uPlot.fmtDate(step < 60 ? "{HH}:{mm}:{ss}" : "{HH}:{mm}")(new Date(t * 1000)));

// Powers of two, so that axis labels are round in KiB and MiB.
const steps = Array.from({ length: 50 }, (_, i) => 2 ** i);

export function Chart({ title, now, times, lines, format, max }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useComputedColorScheme("light");
  const data = useRef<uPlot.AlignedData>([[]]);
  data.current = [times, ...lines.map((l) => l.values)];
  const labels = lines.map((l) => l.label).join("\n");

  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const ink = scheme === "dark" ? "#b8b8b8" : "#495057";
    const grid = { stroke: scheme === "dark" ? "#333" : "#e9ecef", width: 1 };
    const u = new uPlot({
      width: el.clientWidth, height: 150, legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_u, _lo, hi) => [0, max ?? Math.max(hi * 1.1, 1)] } },
      axes: [
        { stroke: ink, grid, ticks: grid, font: "11px sans-serif", space: 70, size: 30, values: clock },
        { stroke: ink, grid, ticks: grid, font: "11px sans-serif", size: 76, space: 35, incrs: steps,
          ...(max === undefined ? {} : { splits: () => [0, max / 2, max] }), values: (_u, v) => v.map(format) },
      ],
      series: [{}, ...labels.split("\n").map((label, i) => ({ label, stroke: colors[scheme][i] ?? ink, width: 2, points: { show: false } }))],
    }, data.current, el);
    plot.current = u;
    const watch = new ResizeObserver(() => u.setSize({ width: el.clientWidth, height: 150 }));
    watch.observe(el);
    return () => { watch.disconnect(); u.destroy(); plot.current = null; };
  }, [scheme, labels, max, format]);
  useEffect(() => { plot.current?.setData(data.current); }, [times, lines]);

  return (
    <figure className="chart">
      <figcaption><b>{title}</b> <span className="num">{now}</span></figcaption>
      <div ref={box} className="plot" aria-hidden />
    </figure>
  );
}
