// The page's own script: draws the plots that the data describes. It knows columns, bands, shades and marks, not runs.
const data = JSON.parse(document.getElementById('run-data').textContent);
const plots = new Map();
const narrow = () => window.innerWidth < 640;

// ---- colours: the style sheet has them; a canvas needs them resolved for the theme that is on ----
const probe = document.createElement('span');
probe.style.display = 'none';
document.body.append(probe);
const resolved = new Map();
const colour = (name, alpha = 1) => {
  if (!resolved.has(name)) {
    probe.style.color = `var(--${name})`;
    resolved.set(name, getComputedStyle(probe).color);
  }
  const text = resolved.get(name);
  return alpha === 1 ? text : text.replace(/^rgba?\(([^,]+),([^,]+),([^,)]+).*$/, `rgba($1,$2,$3,${alpha})`);
};

// ---- words ----
const digits = (value) => {
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
};
const compact = (value) => (Math.abs(value) >= 10_000 ? `${Number((value / 1000).toPrecision(3))}k` : digits(value));
const shown = (value, unit) => (value === null || value === undefined ? '–' : `${digits(value)}${unit === '/s' ? '/s' : ` ${unit}`}`);

// ---- what is drawn beside the lines: unmeasured phases and their names, shaded seconds, what was done to the service, limits ----
/** Draws within a plot's box, and so far above and below it. */
function inside(u, draw, { above = 0, below = 0 } = {}) {
  const { ctx, bbox } = u;
  const ratio = window.devicePixelRatio || 1;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top - above * ratio, bbox.width, bbox.height + (above + below) * ratio);
  ctx.clip();
  ctx.setLineDash([]);
  ctx.textBaseline = 'alphabetic';
  ctx.textAlign = 'left';
  draw(ctx, bbox, ratio);
  ctx.restore();
}
const fontOf = (ratio, weight = 400) => `${weight} ${11 * ratio}px system-ui, sans-serif`;

function drawPhases(u) {
  const draw = (ctx, bbox, ratio) => {
    ctx.font = fontOf(ratio);
    for (const phase of data.phases) {
      const from = u.valToPos(phase.fromSeconds, 'x', true);
      const to = u.valToPos(phase.toSeconds, 'x', true);
      if (!phase.measured) {
        ctx.fillStyle = colour('soft', 0.07);
        ctx.fillRect(from, bbox.top, to - from, bbox.height);
      }
      ctx.strokeStyle = colour('soft', 0.45);
      ctx.lineWidth = ratio;
      ctx.setLineDash([3 * ratio, 3 * ratio]);
      ctx.beginPath();
      ctx.moveTo(Math.round(from) + 0.5, bbox.top - 14 * ratio);
      ctx.lineTo(Math.round(from) + 0.5, bbox.top + bbox.height);
      ctx.stroke();
      const label = phase.measured ? phase.name : `${phase.name} (not measured)`;
      const room = to - from - 8 * ratio;
      const text = [label, phase.name].find((one) => ctx.measureText(one).width <= room);
      ctx.fillStyle = colour('soft');
      if (text !== undefined) ctx.fillText(text, Math.max(from, bbox.left) + 4 * ratio, bbox.top - 5 * ratio);
    }
  };
  inside(u, draw, { above: 18 });
}

// A line where it began, a shadow until it was done. Names of marks that are close stand below each other.
function drawFaults(u) {
  inside(u, (ctx, bbox, ratio) => {
    ctx.font = fontOf(ratio, 600);
    const rows = [];
    for (const fault of data.faults) {
      const from = Math.round(u.valToPos(fault.fromSeconds, 'x', true)) + 0.5;
      const to = u.valToPos(fault.toSeconds, 'x', true);
      ctx.fillStyle = colour('caution', 0.12);
      ctx.fillRect(from, bbox.top, Math.max(0, to - from), bbox.height);
      ctx.strokeStyle = colour('caution');
      ctx.lineWidth = 1.5 * ratio;
      ctx.beginPath();
      ctx.moveTo(from, bbox.top);
      ctx.lineTo(from, bbox.top + bbox.height);
      ctx.stroke();
      const width = ctx.measureText(fault.label).width + 8 * ratio;
      const start = from + width > bbox.left + bbox.width ? from - width : from;
      const free = rows.findIndex((end) => end <= start);
      const row = free < 0 ? rows.length : free;
      rows[row] = start + width;
      ctx.fillStyle = colour('caution');
      ctx.fillText(fault.label, start + 4 * ratio, bbox.top + (38 + row * 14) * ratio);
    }
  });
}

// A shaded second is shaded once, in one tone; what kind of trouble it had is said by lanes under the plot, one for each kind.
// Tones laid over each other would be colours of no kind, and within the plot a lane would look like a limit.
const lanePx = 5;
function drawShades(u) {
  const draw = (ctx, bbox, ratio) => {
    const place = (second) => {
      const from = u.valToPos(second, 'x', true);
      return [from, u.valToPos(second + 1, 'x', true) - from];
    };
    ctx.fillStyle = colour('c-planned', 0.16);
    for (const second of new Set(data.shades.flatMap(({ seconds }) => seconds))) {
      const [from, width] = place(second);
      ctx.fillRect(from, bbox.top, width, bbox.height);
    }
    for (const [lane, { kind, seconds }] of data.shades.entries()) {
      ctx.fillStyle = colour(`c-${kind}`, 0.95);
      for (const second of seconds) {
        const [from, width] = place(second);
        ctx.fillRect(from, bbox.top + bbox.height + (2 + lane * lanePx) * ratio, Math.max(width, ratio), (lanePx - 1) * ratio);
      }
    }
  };
  inside(u, draw, { below: lanesPx() });
}
const lanesPx = () => data.shades.length * lanePx;

// Named once where one phase follows another, and above its line where there is no room below.
function drawLimits(u, limits) {
  inside(u, (ctx, bbox, ratio) => {
    ctx.font = fontOf(ratio, 600);
    for (const [index, limit] of limits.entries()) {
      const y = Math.round(u.valToPos(limit.value, 'y', true)) + 0.5;
      const from = u.valToPos(limit.fromSeconds, 'x', true);
      const to = u.valToPos(limit.toSeconds, 'x', true);
      ctx.strokeStyle = colour('bad');
      ctx.fillStyle = colour('bad');
      ctx.lineWidth = 1.5 * ratio;
      ctx.beginPath();
      ctx.moveTo(from, y);
      ctx.lineTo(to, y);
      ctx.stroke();
      if (goesOn(limits[index - 1], limit)) continue;
      const isLow = y + 18 * ratio > bbox.top + bbox.height;
      ctx.fillText(limit.label, Math.max(from, bbox.left) + 4 * ratio, isLow ? y - 5 * ratio : y + 14 * ratio);
    }
  });
}
const goesOn = (before, limit) => before?.label === limit.label && before.toSeconds === limit.fromSeconds;

// ---- parts of a plot's options ----
const axis = (more) => ({
  stroke: () => colour('soft'),
  grid: { stroke: () => colour('grid'), width: 1 },
  ticks: { show: false },
  font: '12px system-ui, sans-serif',
  ...more,
});

const seriesOf = (line, unit) => ({
  label: line.label,
  stroke: () => colour(`c-${line.colour}`),
  width: line.look === 'area' ? 1.5 : 2,
  ...(line.look === 'dashed' ? { dash: [6, 4] } : {}),
  ...(line.look === 'area' ? { fill: () => colour(`c-${line.colour}`, 0.16) } : {}),
  ...(line.look === 'dots'
    ? { paths: () => null, points: { show: true, size: 4, width: 0, fill: () => colour(`c-${line.colour}`) } }
    : { points: { show: false } }),
  // Where nothing is pointed at, the most of all seconds.
  value: (u, value, series, index) => (index === null ? mostShown(u.data[series], unit) : shown(value, unit)),
});

const mostShown = (values, unit) => {
  const known = values.filter((value) => value !== null);
  const most = known.reduce((one, other) => Math.max(one, other), 0);
  return known.length === 0 ? '–' : `${most === 0 ? '' : '≤ '}${shown(most, unit)}`;
};

const cursorPoints = (lines) => ({
  size: 7,
  width: 0,
  fill: (_, index) => `var(--c-${lines[index - 1].colour})`,
  stroke: (_, index) => `var(--c-${lines[index - 1].colour})`,
});
const legendOf = (lines) => ({
  markers: { width: 0, fill: (_, index) => `var(--c-${lines[index - 1]?.colour ?? 'muted'})` },
});

const positive = (values) => values.map((value) => (value === null || value <= 0 ? null : value));

// A logarithmic axis names 1, 2 and 5 of each decade where there is room, else the decades.
const logSplits = (u, _axis, min, max) => {
  const decades = Math.log10(max / min);
  const steps = decades > 4 || u.height < 180 ? [1] : decades > 2 ? [1, 3] : [1, 2, 5];
  const splits = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const step of steps) splits.push(Number((step * 10 ** power).toPrecision(2)));
  }
  return splits.filter((value) => value >= min * 0.999 && value <= max * 1.001);
};
const logRange = (limits) => (_, low, high) => {
  const values = limits.map((limit) => limit.value);
  const most = Math.max(high ?? 1, ...values.map((value) => value * 1.15));
  const least = Math.min(low ?? 0.1, ...values);
  return [Math.max(1e-3, least / 1.25), Math.max(most * 1.25, least * 10)];
};
// A limit that is far above or below what was measured is in its plot all the same: how far is what one looks for.
const linearRange = (limits) => (_, __, high) => {
  const most = Math.max(high ?? 0, ...limits.map((limit) => limit.value));
  return [0, most <= 0 ? 1 : most * 1.08];
};
const yScale = (log, limits) => (log ? { distr: 3, log: 10, range: logRange(limits) } : { range: linearRange(limits) });
const yAxis = (log) =>
  axis({
    size: narrow() ? 46 : 56,
    gap: 4,
    values: (_, splits) => splits.map(compact),
    ...(log ? { splits: logSplits, filter: (_, splits) => splits } : { space: 36 }),
  });

const secondsAxis = (lanes) =>
  axis({ size: 26 + lanes, gap: 6 + lanes, values: (_, splits) => splits.map((value) => `${Number(value.toFixed(2))} s`), space: 56 });

const heightOf = (wide) => (narrow() ? 200 : wide ? 270 : 220);

// ---- zoom by dragging: all time plots show the same time; a double click shows all of it again ----
let zooming = false;
function sameTime(u) {
  if (zooming) return;
  zooming = true;
  const { min, max } = u.scales.x;
  for (const [id, other] of plots) if (id !== 'percentiles' && other.plot !== u) other.plot.setScale('x', { min, max });
  zooming = false;
}

function drawTime(spec, element) {
  const x = data.seconds.map((second) => second + 0.5);
  const columns = spec.lines.map((line) => (spec.log ? positive(line.values) : line.values));
  const bands = spec.lines.flatMap((line, index) =>
    line.fillTo === undefined ? [] : [{ series: [index + 1, line.fillTo + 1], fill: () => colour(`c-${line.colour}`, 0.22) }],
  );
  const options = {
    width: element.clientWidth,
    height: heightOf(spec.wide),
    padding: [20, 16, 0, 0],
    scales: {
      x: { time: false, range: (_, low, high) => (low === x[0] && high === x.at(-1) ? [0, data.seconds.length] : [low, high]) },
      y: yScale(spec.log, spec.limits),
    },
    axes: [secondsAxis(spec.shaded ? lanesPx() : 0), yAxis(spec.log)],
    series: [
      { label: 'second', value: (_, value, __, index) => (index === null || value === null ? 'all' : `${Math.floor(value)}–${Math.floor(value) + 1} s`) },
      ...spec.lines.map((line) => seriesOf(line, spec.unit)),
    ],
    bands,
    legend: legendOf(spec.lines),
    cursor: { sync: { key: 'time' }, y: false, points: cursorPoints(spec.lines), drag: { x: true, y: false } },
    hooks: {
      drawClear: [drawPhases, ...(spec.shaded ? [drawShades] : [])],
      draw: [drawFaults, (u) => drawLimits(u, spec.limits)],
      setScale: [(u, key) => key === 'x' && u.status === 1 && sameTime(u)],
    },
  };
  return { plot: new uPlot(options, [x, ...columns], element), wide: spec.wide };
}

// ---- percentiles ----
const percentOf = (nines) => {
  const q = 100 * (1 - 10 ** -nines);
  return `${Number(q.toFixed(Math.max(0, Math.ceil(nines) - 1)))} %`;
};
// Named where there is room: 56 px hold the longest name.
const nineSplits = (u, _axis, _min, max) => {
  const between = (56 * max) / Math.max(1, u.bbox.width / (window.devicePixelRatio || 1));
  const kept = [];
  for (const value of [1, 2, 3, 4, 5, 6, 0.30103, 0]) {
    if (value <= max + 1e-9 && kept.every((other) => Math.abs(other - value) >= between)) kept.push(value);
  }
  return kept.sort((one, other) => one - other);
};
const curveColumns = (curve) => [curve.x, positive(curve.response.length === 0 ? curve.x.map(() => null) : curve.response), positive(curve.service)];

function drawPercentiles(element) {
  const lines = [
    { label: 'response', colour: 'response', look: 'line' },
    { label: 'service', colour: 'service', look: 'dashed' },
  ];
  const options = {
    width: element.clientWidth,
    height: heightOf(true),
    padding: [12, 16, 0, 0],
    scales: { x: { time: false, range: (_, __, high) => [0, high ?? 1] }, y: yScale(true, []) },
    axes: [axis({ size: 26, gap: 6, splits: nineSplits, values: (_, splits) => splits.map(percentOf), space: 30 }), yAxis(true)],
    series: [
      { label: 'percentile', value: (_, value, __, index) => (index === null || value === null ? 'all' : percentOf(value)) },
      ...lines.map((line) => seriesOf(line, 'ms')),
    ],
    bands: [{ series: [1, 2], fill: () => colour('c-response', 0.12) }],
    legend: legendOf(lines),
    cursor: { y: false, points: cursorPoints(lines), drag: { x: false, y: false } },
  };
  const plot = new uPlot(options, curveColumns(data.curves[data.firstCurve]), element);
  const buttons = [...document.querySelectorAll('[data-curve]')];
  for (const button of buttons) {
    button.addEventListener('click', () => {
      const curve = data.curves[Number(button.dataset.curve)];
      for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
      document.getElementById('curve-note').textContent = curve.note;
      plot.setData(curveColumns(curve));
      name(element, curve.spoken);
    });
  }
  return { plot, wide: true };
}

const name = (element, text) => {
  const canvas = element.querySelector('canvas');
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', text);
};

for (const element of document.querySelectorAll('[data-plot]')) {
  const { plot: id } = element.dataset;
  const spec = data.plots.find((one) => one.id === id);
  plots.set(id, spec === undefined ? drawPercentiles(element) : drawTime(spec, element));
  name(element, spec === undefined ? data.curves[data.firstCurve].spoken : spec.spoken);
}

const fit = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const { plot, wide } = plots.get(target.dataset.plot);
    if (target.clientWidth > 0 && target.clientWidth !== plot.width) plot.setSize({ width: target.clientWidth, height: heightOf(wide) });
  }
});
for (const element of document.querySelectorAll('[data-plot]')) fit.observe(element);

// ---- light and dark ----
const repaint = () => {
  resolved.clear();
  for (const { plot } of plots.values()) plot.redraw();
};
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint);
const themes = ['system', 'light', 'dark'];
const button = document.getElementById('theme');
button.hidden = false;
button.addEventListener('click', () => {
  const next = themes[(themes.indexOf(document.documentElement.dataset.theme ?? 'system') + 1) % themes.length];
  if (next === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  button.textContent = `Theme: ${next}`;
  repaint();
});
