'use strict';
// Layer by layer: medians and middle halves over draws, from the output to the input.

const layerView = { activations: new Set(), state: null, index: null, turn: 0 };

function setUpLayers() {
  activationChips($('#l-activations'), layerView.activations, drawLayers);
  for (const { name, words } of data.measures) $('#l-measure').append(element('option', { value: name }, words));
  layerView.state = axisSelects($('#l-axes'), data.others, {
    compare: true,
    prefix: 'l',
    first: { depth: Math.max(...data.values.depth) },
    change: drawLayers,
  });
  $('#l-measure').addEventListener('change', drawLayers);
  onRadios('l-mode', drawLayers);
  onRadios('l-draws', drawLayers);
  if (!data.walks.index.length)
    $$('input[name=l-mode][value=ledger], input[value=lines]').forEach((radio) => radio.parentElement.remove());
}

async function drawLayers() {
  const turn = ++layerView.turn;
  const ledger = chosen('l-mode') === 'ledger';
  const lines = chosen('l-draws') === 'lines' && !ledger;
  const measure = $('#l-measure').value;
  const host = $('#l-chart');
  const series = seriesOf([...layerView.activations], layerView.state);
  $('#l-measure').disabled = ledger;
  $$('input[name=l-draws]').forEach((radio) => (radio.disabled = ledger));
  if (!somethingIn(host, series)) return;
  for (const one of series) {
    one.setting = one.settings[0];
    const { chains } = one.setting;
    one.chain = ledger && chains.length ? await chainOf(chains[0]) : null;
    one.lines = lines && OF_CHAIN[measure] ? await Promise.all(chains.map(chainOf)) : [];
  }
  if (turn !== layerView.turn) return; // the reader has chosen something else meanwhile
  const depth = layerView.state.depth;
  const down = [...data.layers[depth]].reverse();
  const go = ledger
    ? drawLedgers(
        host,
        series.filter((one) => one.chain),
        depth,
        down,
      )
    : drawProfiles(host, series, depth, down, measure);
  go(Math.min(layerView.index ?? down.length - 1, down.length - 1));
  $('#l-caption').textContent = layerCaption(series, depth, down, ledger, lines, measure);
}

function layerCaption(series, depth, down, ledger, lines, measure) {
  const recorded = data.recorded[depth];
  const thinned =
    down.length < recorded ? ` Drawn: ${down.length} of ${recorded} layers, evenly spaced, values as measured.` : '';
  const left = depth - recorded ? ` Recorded: ${recorded} of ${depth} layers.` : '';
  if (ledger) {
    return `Decades summed from the last layer down, of the draw with the median attenuation: filled, the activation’s; grey, the weights’; the line, both.${thinned}`;
  }
  const { draws, chains } = series[0].setting;
  const drawn = !lines
    ? ''
    : OF_CHAIN[measure]
      ? ` Thin lines: ${chains.length} of ${draws} draws.`
      : ' Single draws of this measure are not on this page; the band is shown.';
  return `Lines: median of ${draws} draws; band: the middle half.${drawn}${thinned}${left}`;
}

const MEASURE_KINDS = {
  dead_fraction: { axis: 'share of units', format: (value) => percent(value, 0), domain: [0, 1] },
  log10_activation_factor: { axis: 'factor of one layer', format: factor },
  log10_weight_factor: { axis: 'factor of one layer', format: factor },
  log10_relative: { axis: 'left of the gradient', format: tick },
};

function drawProfiles(host, series, depth, down, measure) {
  const kind = MEASURE_KINDS[measure] ?? { axis: data.measureWords[measure].split(',')[0], format: tick };
  const frame = newFrame(host, {
    height: usualHeight(host),
    right: nameRoom(host, series),
    label: `${data.measureWords[measure]} at each layer, from the output to the input, for ${series.map((one) => one.label).join('; ')}. The table below gives the values at the chosen layer.`,
  });
  for (const one of series) {
    one.quartiles = [0, 1, 2].map((quartile) => profile(one.setting, measure, quartile));
    one.drawn = one.lines.map((chain) => Float64Array.from(down, (layer) => OF_CHAIN[measure](chain, layer)));
  }
  const bounds = measure === 'log10_activation_factor' ? boundsOf(series) : new Map();
  const baseline = kind.format === factor ? [0] : [];
  const drawn = series.flatMap((one) => (one.drawn.length ? one.drawn : one.quartiles));
  const x = d3.scaleLinear([depth, Math.min(1, depth - 1)], frame.x);
  const y = d3.scaleLinear(kind.domain ?? extent([...drawn, baseline, [...bounds.keys()]]), frame.y).nice();
  const ticks = wholeTicks(1, depth, frame);
  drawAxes(frame, x, y, {
    xTicks: ticks,
    xFormat: d3.format('d'),
    xLabel: 'layer: output → input',
    yLabel: kind.axis,
    yFormat: kind.format,
  });
  if (baseline.length) level(frame, 'zero', y(0));
  bounds.forEach((names, bound) => drawBound(frame, y, names, bound));
  const px = down.map((layer) => x(layer));
  for (const one of series) drawSeries(frame, one, px, y);
  nameProfiles(frame, series, px, y);
  return profileSlider(frame, series, px, y, depth, down);
}

/** The largest slope of each activation, in log10 -> the activations that have it. */
function boundsOf(series) {
  const bounds = new Map();
  for (const name of new Set(series.map((one) => one.key.activation))) {
    const bound = numeric(data.bounds[name]);
    if (Number.isFinite(bound)) bounds.set(bound, [...(bounds.get(bound) ?? []), name]);
  }
  return bounds;
}

function drawBound(frame, y, names, bound) {
  const colour = names.length > 1 ? 'var(--ink)' : colourOf(names[0]);
  level(frame, 'bound', y(bound)).style('stroke', colour);
  const shift = (bound > -0.01 ? 0.9 : -0.6) * frame.unit;
  note(frame, frame.x[0] + 0.5 * frame.unit, y(bound) + shift, `${names.join(', ')}: at most ${factor(bound)}`).style(
    'fill',
    colour,
  );
}

function drawSeries(frame, one, px, y) {
  const line = d3
    .line(
      (_, place) => px[place],
      (value) => y(value),
    )
    .defined(Number.isFinite);
  const path = (values) =>
    frame.svg.append('path').attr('fill', 'none').style('stroke', one.colour).attr('d', line(values));
  const [low, median, high] = one.quartiles;
  for (const values of one.drawn) path(values).attr('stroke-width', 0.7).attr('stroke-opacity', 0.55);
  if (!one.drawn.length) {
    const area = d3.area(
      (_, place) => px[place],
      (_, place) => y(low[place]),
      (_, place) => y(high[place]),
    );
    area.defined((_, place) => Number.isFinite(low[place]) && Number.isFinite(high[place]));
    frame.svg.append('path').style('fill', one.colour).attr('fill-opacity', 0.22).attr('d', area(median));
  }
  path(median).attr('stroke-width', 2.2).attr('stroke-dasharray', one.dash);
}

function nameProfiles(frame, series, px, y) {
  const ends = series.map(({ quartiles: [, median] }) => median.findLastIndex(Number.isFinite));
  const heights = series.map((one, place) => y(one.quartiles[1][ends[place]]));
  const early = series.map((one, place) => {
    const end = ends[place];
    const stops = end >= 0 && end < px.length - 1 && one.quartiles[1][end + 1] === -Infinity;
    return stops ? [px[end], heights[place], 'dead in half of the draws'] : null;
  });
  nameLines(frame, series, heights, early);
}

function profileSlider(frame, series, px, y, depth, down) {
  const dots = series.map((one) =>
    frame.svg.append('circle').attr('r', 4.5).style('fill', one.colour).style('stroke', 'var(--bg)'),
  );
  return tieSlider(frame, px, $('#l-at'), (index) => {
    layerView.index = index;
    series.forEach((one, place) => {
      const value = one.quartiles[1][index];
      const known = Number.isFinite(value);
      dots[place]
        .attr('display', known ? null : 'none')
        .attr('cx', px[index])
        .attr('cy', known ? y(value) : 0);
    });
    sayPlace('#l-at', '#l-layer', `layer ${down[index]} of ${depth}`);
    fillTable(
      '#l-values',
      PROFILE_HEADS,
      series.map((one) => profileRow(one, index)),
    );
  });
}

const PROFILE_HEADS = [
  'networks',
  'left of the gradient',
  'decades',
  'middle half, decades',
  '‖∂C/∂z‖',
  '‖∂C/∂W‖',
  'activation ×',
  'weights ×',
  'silent units',
];

function profileRow(one, index) {
  const at = (measure, quartile = 1) => profile(one.setting, measure, quartile)[index];
  const ends = [0, 2].map((quartile) => decades(at('log10_relative', quartile), 2));
  return [
    [swatch(one.colour, one.dash), ` ${one.label}`],
    power(at('log10_relative')),
    decades(at('log10_relative'), 2),
    ends.join(' to '),
    power(at('log10_grad_preactivations')),
    power(at('log10_grad_weights')),
    power(at('log10_activation_factor')),
    power(at('log10_weight_factor')),
    percent(at('dead_fraction')),
  ];
}
