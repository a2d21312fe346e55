'use strict';
// The course of training: costs, accuracies, norms and the attenuation over the steps.

const roundPower = (value) => power(value, 2);

const COURSE_KINDS = {
  cost: { axis: 'cost', format: roundPower, words: (value) => power(value), round: true },
  accuracy: { axis: 'share of right classes', format: (value) => percent(value, 0), words: percent, domain: [0, 1] },
  gain: { axis: 'left at the first layer', format: tick, words: (value) => `${decades(value, 2)} decades` },
  norm: { axis: 'norm', format: roundPower, words: (value) => power(value), round: true },
};

function courseKind(name) {
  if (name.startsWith('accuracy')) return COURSE_KINDS.accuracy;
  if (name.includes('cost')) return COURSE_KINDS.cost;
  return name === 'log10_gradient_gain' ? COURSE_KINDS.gain : COURSE_KINDS.norm;
}

function drawCourses(host, series, name, steps) {
  const kind = courseKind(name);
  const words = trainView.content.over.find((one) => one.name === name).words;
  const frame = newFrame(host, {
    height: usualHeight(host) * 0.85,
    right: nameRoom(host, series),
    label: `${words}, over the steps of training, for ${series.map((one) => one.label).join('; ')}. The table below gives the values at the chosen step.`,
  });
  const quartiles = series.map((one) => one.settings[0].over[name]);
  const x = stepScale(frame, steps);
  const y = d3.scaleLinear(kind.domain ?? extent(quartiles.flat()), frame.y).nice();
  drawAxes(frame, x, y, {
    xTicks: spaced(steps, x, 3 * frame.unit),
    xFormat: d3.format(','),
    xLabel: 'step',
    yLabel: kind.axis,
    yFormat: kind.format,
    yTicks: kind.round ? roundTicks(y.domain()) : null,
  });
  const px = steps.map((step) => x(step));
  series.forEach((one, place) => drawSeries(frame, { ...one, quartiles: quartiles[place], drawn: [] }, px, y));
  nameCourses(frame, series, quartiles, px, y);
  return { frame, px, y, quartiles };
}

function stepScale(frame, steps) {
  const scale = chosen('t-x') === 'log' ? d3.scaleSymlog().constant(1) : d3.scaleLinear();
  return scale.domain([steps[0], steps.at(-1)]).range(frame.x);
}

/** Those of the values whose places are a gap apart: the ends first, then the others from the left. */
function spaced(values, scale, gap) {
  const kept = [];
  for (const value of [values[0], values.at(-1), ...values.slice(1, -1)]) {
    if (kept.every((other) => Math.abs(scale(other) - scale(value)) >= gap)) kept.push(value);
  }
  return kept;
}

function nameCourses(frame, series, quartiles, px, y) {
  const ends = quartiles.map(([, median]) => median.findLastIndex(Number.isFinite));
  const heights = ends.map((end, place) => y(quartiles[place][1][end]));
  const early = ends.map((end, place) => {
    const diverged = series[place].settings[0].diverged[end + 1];
    return end >= 0 && diverged ? [px[end], heights[place], 'diverged'] : null;
  });
  nameLines(frame, series, heights, early);
}

function courseHeads() {
  return ['networks', ...trainView.content.over.map((one) => SHORT_WORDS[one.name]), 'learning rate', 'diverged'];
}

const SHORT_WORDS = {
  log10_cost_validation: 'validation cost',
  log10_cost_probe: 'probe cost',
  log10_cost_test: 'test cost',
  accuracy_validation: 'validation accuracy',
  accuracy_probe: 'probe accuracy',
  accuracy_test: 'test accuracy',
  log10_gradient_gain: 'attenuation',
  log10_grad_norm: '‖gradient‖',
  log10_norm_weights: '‖weights‖',
};

function courseRow(one, index) {
  const course = one.settings[0];
  const values = trainView.content.over.map(({ name }) => courseKind(name).words(course.over[name][1][index]));
  const [low, high] = course.rates;
  const rates = low === high ? String(low) : `${low} to ${high}`;
  const end = course.atEnd ? `, at an end in ${course.atEnd}` : '';
  return [
    [swatch(one.colour, one.dash), ` ${one.label}`],
    ...values,
    `${rates}${end}`,
    `${course.diverged[index]} of ${course.draws}`,
  ];
}
