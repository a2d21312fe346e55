'use strict';
// What is left at the first layer, against depth, beside theory, and where number formats read 0.

const depthView = { state: null, index: null };

function setUpDepths() {
  const axes = data.others.filter((axis) => axis !== 'depth');
  depthView.state = axisSelects($('#d-axes'), axes, { compare: true, prefix: 'd', change: drawDepths });
  onRadios('d-x', drawDepths);
  onRadios('d-y', drawDepths);
  if (!several('depth')) leaveOut('depths');
}

function drawDepths() {
  const all = data.values.depth;
  const host = $('#d-chart');
  if (all.length < 2) return;
  const series = seriesOf(data.values.activation.slice(0, MOST_LINES), depthView.state, { everyDepth: true });
  if (!somethingIn(host, series)) return;
  const frame = newFrame(host, {
    height: usualHeight(host),
    right: nameRoom(host, series),
    label: `Attenuation against depth for ${series.map((one) => one.label).join('; ')}. The table below gives the values at the chosen depth.`,
  });
  const { x, y } = depthScales(frame, series, all);
  level(frame, 'zero', y(0));
  for (const one of series) drawDepthSeries(frame, one, x, y);
  markFormats(frame, series, x, y);
  nameDepths(frame, series, x, y);
  const go = tieSlider(
    frame,
    all.map((depth) => x(depth)),
    $('#d-at'),
    (index) => {
      depthView.index = index;
      sayPlace('#d-at', '#d-depth', `depth ${all[index]}`);
      fillTable(
        '#d-values',
        DEPTH_HEADS,
        series.map((one) => depthRow(one, all[index])),
      );
    },
  );
  go(Math.min(depthView.index ?? all.length - 1, all.length - 1));
  $('#d-caption').textContent =
    `Lines: median of ${series[0]?.settings[0].draws ?? 0} draws; band: the middle half. Dashes: theory, with the middle half that it predicts. Squares: from this depth on, half of the draws or more have a layer of which these formats hold nothing but 0.`;
}

function depthScales(frame, series, all) {
  const log = chosen('d-x') === 'log';
  const kind = chosen('d-y');
  const settings = series.flatMap((one) => one.settings);
  const theory = settings.map(({ theory: [middle, half] }) => [middle - half, middle + half]);
  const domain = extent([...settings.map((setting) => setting.gain), ...theory, [0]]);
  const x = (log ? d3.scaleLog().base(2) : d3.scaleLinear()).domain([all[0], all.at(-1)]).range(frame.x);
  const y = decadeScale(domain, frame.y, kind);
  const every = Math.ceil((all.length * 3 * frame.unit) / (frame.x[1] - frame.x[0]));
  drawAxes(frame, x, y, {
    xTicks: log ? all.filter((_, place) => place % every === 0) : wholeTicks(all[0], all.at(-1), frame),
    xFormat: d3.format('d'),
    xLabel: 'depth (layers)',
    yLabel: 'left at the first layer',
    yFormat: tick,
    yTicks: kind === 'stretched' ? stretchedTicks(domain) : null,
  });
  return { x, y };
}

const alive = (setting) => Number.isFinite(setting.gain[1]);

function drawDepthSeries(frame, one, x, y) {
  const living = one.settings.filter(alive);
  const predicted = one.settings.filter(({ theory }) => theory.every(Number.isFinite));
  const bottom = y.domain()[0];
  const at = (setting) => x(setting.depth);
  const area = d3.area(
    at,
    ({ gain }) => y(Math.max(gain[0], bottom)),
    ({ gain }) => y(gain[2]),
  );
  frame.svg.append('path').style('fill', one.colour).attr('fill-opacity', 0.22).attr('d', area(living));
  const line = d3.line(at, ({ gain }) => y(gain[1]));
  frame.svg
    .append('path')
    .attr('fill', 'none')
    .style('stroke', one.colour)
    .attr('stroke-width', 2.2)
    .attr('d', line(living));
  for (const sign of [0, -1, 1]) {
    const theory = d3.line(at, ({ theory: [middle, half] }) => y(middle + sign * half));
    const path = frame.svg
      .append('path')
      .attr('fill', 'none')
      .attr('stroke-dasharray', '5 4')
      .attr('d', theory(predicted));
    path.style('stroke', `color-mix(in srgb, ${one.colour}, var(--ink) 60%)`).attr('stroke-width', sign ? 0.7 : 1.4);
  }
  const dots = frame.svg.append('g').selectAll('circle').data(living).join('circle');
  dots
    .attr('cx', at)
    .attr('cy', ({ gain }) => y(gain[1]))
    .attr('r', 3)
    .style('fill', one.colour);
}

const readsZero = (setting) => FORMATS.map(({ name }) => name).filter((name) => setting.zero[name] >= 0.5);

/** A square at the first depth at which a format reads 0 in half of the draws; named where there is room. */
function markFormats(frame, series, x, y) {
  const boxes = [];
  for (const { settings } of series) {
    let before = [];
    for (const setting of settings.filter(alive)) {
      const here = readsZero(setting).filter((name) => !before.includes(name));
      before = [...before, ...here];
      if (here.length) markFormat(frame, x(setting.depth), y(setting.gain[1]), `${here.join(', ')} reads 0`, boxes);
    }
  }
}

function markFormat(frame, px, py, words, boxes) {
  const { svg, unit } = frame;
  const square = svg
    .append('rect')
    .attr('x', px - 5)
    .attr('y', py - 5)
    .attr('width', 10)
    .attr('height', 10);
  square.attr('fill', 'none').style('stroke', 'var(--ink)').attr('stroke-width', 1.6);
  const box = {
    left: px - 10 - words.length * 0.5 * unit,
    right: px - 8,
    top: py + 0.1 * unit,
    bottom: py + 1.3 * unit,
  };
  const overlaps = (other) =>
    other.left < box.right && box.left < other.right && other.top < box.bottom && box.top < other.bottom;
  const fits = frame.width > FULL_WIDTH * unit && box.left > frame.x[0] && box.bottom < frame.y[0];
  if (!fits || boxes.some(overlaps)) return;
  boxes.push(box);
  note(frame, box.right, (box.top + box.bottom) / 2, words).attr('text-anchor', 'end');
}

function nameDepths(frame, series, x, y) {
  const last = series.map((one) => one.settings.findLastIndex(alive));
  const ends = series.map(({ settings }, place) => (last[place] < 0 ? NaN : y(settings[last[place]].gain[1])));
  const early = series.map(({ settings }, place) => {
    const after = settings[last[place] + 1];
    return last[place] >= 0 && after?.gain[1] === -Infinity
      ? [x(settings[last[place]].depth), ends[place], `dead from depth ${after.depth}`]
      : null;
  });
  nameLines(frame, series, ends, early);
}

const DEPTH_HEADS = ['networks', 'left', 'decades', 'middle half', 'theory', 'reads 0 in half of the draws'];

function depthRow(one, depth) {
  const setting = one.settings.find((own) => own.depth === depth);
  const head = [swatch(one.colour), ` ${one.label}`];
  if (!setting) return [head, '–', '–', '–', '–', '–'];
  const [low, median, high] = setting.gain;
  const middle = `${decades(low, 2)} to ${decades(high, 2)}`;
  return [
    head,
    power(median),
    decades(median, 2),
    middle,
    decades(setting.theory[0], 2),
    readsZero(setting).join(', ') || 'none',
  ];
}
