'use strict';
// Training, layer by layer at one step: the profile of the gradient, and the norm ledger.

const MOST_DOTS = 33; // on a line; more would touch each other

const TRAINED_KINDS = {
  dead_fraction: { axis: 'share of units', format: (value) => percent(value, 0), domain: [0, 1] },
  log10_grad_weights: { axis: '‖∂C/∂W‖', format: roundPower },
  log10_grad_preactivations: { axis: '‖∂C/∂z‖', format: roundPower },
  log10_update_ratio: { axis: '‖ΔW‖ / ‖W‖', format: roundPower },
};

/** Medians of a course at a step, from the last drawn layer down to the first. */
const atStep = (course, measure, step) => [...course.at[measure][step]].reverse();

function drawTrainedProfile(host, series, depth, down, measure, step) {
  const kind = TRAINED_KINDS[measure];
  const words = trainView.content.at.find((one) => one.name === measure).words;
  const frame = newFrame(host, {
    height: usualHeight(host) * 0.85,
    right: nameRoom(host, series),
    label: `${words}, at each layer from the output to the input, at the chosen step and at the start, for ${series.map((one) => one.label).join('; ')}. The table below gives the values at the chosen layer.`,
  });
  const x = d3.scaleLinear([depth, Math.min(1, depth - 1)], frame.x);
  const everyStep = series.flatMap((one) => one.settings[0].at[measure]);
  const y = d3.scaleLinear(kind.domain ?? extent(everyStep), frame.y).nice();
  drawAxes(frame, x, y, {
    xTicks: wholeTicks(1, depth, frame),
    xFormat: d3.format('d'),
    xLabel: 'layer: output → input',
    yLabel: kind.axis,
    yFormat: kind.format,
    yTicks: kind.domain ? null : roundTicks(y.domain()),
  });
  const px = down.map((layer) => x(layer));
  for (const one of series) drawTrainedLine(frame, one, px, y, measure, step);
  const now = series.map((one) => atStep(one.settings[0], measure, step));
  const ends = now.map((values) => y(values[values.findLastIndex(Number.isFinite)]));
  nameLines(frame, series, ends, []);
  return { frame, px };
}

function drawTrainedLine(frame, one, px, y, measure, step) {
  const line = d3
    .line(
      (_, place) => px[place],
      (value) => y(value),
    )
    .defined(Number.isFinite);
  const path = (at, width, dash) =>
    frame.svg
      .append('path')
      .attr('fill', 'none')
      .style('stroke', one.colour)
      .attr('stroke-width', width)
      .attr('stroke-dasharray', dash)
      .attr('d', line(atStep(one.settings[0], measure, at)));
  path(0, 1.2, '1.5 4');
  path(step, 2.2, one.dash);
  const now = atStep(one.settings[0], measure, step);
  if (px.length > MOST_DOTS) return;
  const dots = frame.svg.append('g').selectAll('circle').data(now).join('circle');
  dots
    .attr('cx', (_, place) => px[place])
    .attr('cy', (value) => (Number.isFinite(value) ? y(value) : 0))
    .attr('display', (value) => (Number.isFinite(value) ? null : 'none'))
    .attr('r', 3)
    .style('fill', one.colour);
}

/** A panel for each series: bars of both parts of the growth of ‖W‖² at each drawn layer, and their sum. */
function drawNormLedgers(host, series, depth, down, step) {
  const columns = ledgerColumns(host, series);
  const height = Math.ceil(series.length / columns) * LEDGER_HEIGHT * rem() + rem();
  const label = `Norm ledgers of ${series.map((one) => one.label).join('; ')}: what grew the weights of each layer, the direction of the gradient or the size of the steps.`;
  const frame = newFrame(host, { height, label });
  return series.map((one, place) => drawNormLedger(frame, one, place, columns, depth, down, step));
}

function drawNormLedger(frame, one, place, columns, depth, down, step) {
  const own = ledgerPanel(frame, place, columns);
  const { at } = one.settings[0];
  const sums = at.flow.map((flow, index) => flow.map((value, layer) => value + at.size[index][layer]));
  const domain = extent([...at.flow, ...at.size, ...sums, [0]]);
  const x = d3.scaleLinear([depth + 0.5, 0.5], own.x);
  const y = d3.scaleLinear(domain, own.y).nice();
  ledgerAxes(own, x, y, depth, d3.format('~g'));
  note(own, own.x[0], own.y[1] - 0.8 * own.unit, one.label)
    .style('fill', one.colour)
    .attr('font-weight', 700);
  const px = down.map((layer) => x(layer));
  drawParts(own, one, px, y, step);
  level(own, 'zero', y(0));
  return { own, px, cross: own.svg.append('line').attr('class', 'cross').attr('y1', own.y[1]).attr('y2', own.y[0]) };
}

/** Where both parts grow the weights, the size of the steps stands on the direction; else both begin at 0. */
function drawParts(own, one, px, y, step) {
  const [flow, size] = ['flow', 'size'].map((part) => atStep(one.settings[0], part, step));
  const wide = Math.min(2.2 * own.unit, (0.7 * (own.x[1] - own.x[0])) / px.length);
  const bar = (at, from, to) => {
    const rect = own.svg.append('rect').attr('x', at - wide / 2).attr('width', wide);
    return rect.attr('y', Math.min(y(from), y(to))).attr('height', Math.abs(y(to) - y(from)));
  };
  px.forEach((at, layer) => {
    if (!Number.isFinite(flow[layer]) || !Number.isFinite(size[layer])) return;
    const both = flow[layer] + size[layer];
    bar(at, 0, flow[layer]).style('fill', one.colour).attr('fill-opacity', 0.45);
    bar(at, Math.max(flow[layer], 0), Math.max(flow[layer], 0) + size[layer]).attr('class', 'w');
    const mark = own.svg.append('line').attr('class', 't').attr('y1', y(both)).attr('y2', y(both));
    mark.attr('x1', at - 0.65 * wide).attr('x2', at + 0.65 * wide);
  });
}

const TRAINED_HEADS = [
  'networks',
  '‖∂C/∂W‖',
  'at the start',
  '‖∂C/∂z‖',
  '‖ΔW‖ / ‖W‖',
  'silent units',
  'direction',
  'size of the steps',
  'growth of ‖W‖²',
];

function trainedRow(one, step, index) {
  const course = one.settings[0];
  const at = (measure, when = step) => atStep(course, measure, when)[index];
  const share = (value) => (Number.isFinite(value) ? d3.format('+.3~g')(value) : '–');
  return [
    [swatch(one.colour, one.dash), ` ${one.label}`],
    power(at('log10_grad_weights')),
    power(at('log10_grad_weights', 0)),
    power(at('log10_grad_preactivations')),
    power(at('log10_update_ratio')),
    percent(at('dead_fraction')),
    share(at('flow')),
    share(at('size')),
    share(at('flow') + at('size')),
  ];
}
