'use strict';
// The running ledger: decades of the activation and of the weights, summed from the last layer down.

const LEDGER_HEIGHT = 14; // rem, of a panel

function drawLedgers(host, series, depth, down) {
  const columns = ledgerColumns(host, series);
  const height = Math.ceil(series.length / columns) * LEDGER_HEIGHT * rem() + rem();
  const label = `Running ledgers of ${series.map((one) => one.label).join('; ')}: decades of the activation, of the weights, and together.`;
  const frame = newFrame(host, { height, label });
  for (const one of series) addLedger(one, depth, down);
  const domain = extent([...series.flatMap((one) => [one.activation, one.weights, one.both]), [0]]);
  const panels = series.map((one, place) => drawLedger(frame, one, place, columns, domain, depth, down));
  return ledgerSlider(frame, series, panels, depth, down);
}

/** Running sums of a chain, layer L excluded: `activation`, `weights` and `both` at the drawn layers. */
function addLedger(one, depth, down) {
  const chain = one.chain;
  const activation = new Float64Array(depth + 1);
  const weights = new Float64Array(depth + 1);
  for (let layer = depth - 1; layer >= 1; layer--) {
    activation[layer] = activation[layer + 1] + deltaAt(chain, layer) - outputAt(chain, layer);
    weights[layer] = weights[layer + 1] + outputAt(chain, layer) - deltaAt(chain, layer + 1);
  }
  one.dead = down.some((layer) => !Number.isFinite(deltaAt(chain, layer)));
  const shown = (sums) => down.map((layer) => (one.dead ? NaN : sums[layer]));
  one.activation = shown(activation);
  one.weights = shown(weights);
  one.both = one.activation.map((value, place) => value + one.weights[place]);
}

/** How many panels stand beside each other: so many that their titles fit. */
function ledgerColumns(host, series) {
  const longest = Math.max(...series.map((one) => one.label.length));
  const wide = Math.max(15, 5 + 0.48 * longest) * rem();
  return Math.max(1, Math.min(series.length, 4, Math.floor(host.clientWidth / wide)));
}

/** The frame of one of several panels in rows of `columns`. */
function ledgerPanel(frame, place, columns) {
  const { unit } = frame;
  const wide = (frame.width - 10) / columns;
  const left = (place % columns) * wide + 4.6 * unit;
  const top = Math.floor(place / columns) * LEDGER_HEIGHT * unit + 1.6 * unit;
  return { ...frame, x: [left, left + wide - 4.6 * unit - 10], y: [top + (LEDGER_HEIGHT - 4.6) * unit, top] };
}

function drawLedger(frame, one, place, columns, domain, depth, down) {
  const { svg, unit } = frame;
  const own = ledgerPanel(frame, place, columns);
  const x = d3.scaleLinear([depth, Math.min(1, depth - 1)], own.x);
  const y = d3.scaleLinear(domain, own.y).nice();
  const px = down.map((layer) => x(layer));
  ledgerAxes(own, x, y, depth);
  note(own, own.x[0], own.y[1] - 0.8 * unit, one.label)
    .style('fill', one.colour)
    .attr('font-weight', 700);
  if (one.dead) note(own, own.x[0] + unit, (own.y[0] + own.y[1]) / 2, 'dead, or not known');
  const area = (base, height) =>
    d3
      .area(
        (_, i) => px[i],
        (_, i) => y(base[i]),
        (_, i) => y(base[i] + height[i]),
      )
      .defined(Number.isFinite)(height);
  const stacked = one.activation.at(-1) * one.weights.at(-1) > 0; // both take, or both give: one on top of the other
  const zeros = one.activation.map(() => 0);
  svg
    .append('path')
    .attr('class', 'w')
    .attr('d', area(stacked ? one.activation : zeros, one.weights));
  svg.append('path').style('fill', one.colour).attr('fill-opacity', 0.45).attr('d', area(zeros, one.activation));
  const line = d3
    .line(
      (_, i) => px[i],
      (value) => y(value),
    )
    .defined(Number.isFinite);
  svg.append('path').attr('class', 't').attr('d', line(one.both));
  level(own, 'zero', y(0));
  return { own, px, cross: svg.append('line').attr('class', 'cross').attr('y1', own.y[1]).attr('y2', own.y[0]) };
}

function ledgerAxes(own, x, y, depth, format = tick) {
  const { svg, unit } = own;
  const group = (name, shift) => svg.append('g').attr('class', name).attr('transform', `translate(${shift})`);
  const left = () => d3.axisLeft(y).ticks(5);
  const ticks = [...new Set([depth, Math.round(depth / 2), 1])];
  group('grid', `${own.x[0]},0`).call(
    left()
      .tickSize(own.x[0] - own.x[1])
      .tickFormat(''),
  );
  group('axis', `0,${own.y[0]}`).call(d3.axisBottom(x).tickValues(ticks).tickFormat(d3.format('d')).tickSizeOuter(0));
  group('axis', `${own.x[0]},0`).call(left().tickFormat(format).tickSizeOuter(0));
  const label = svg.append('text').attr('class', 'lab').attr('text-anchor', 'middle').text('layer: output → input');
  label.attr('x', (own.x[0] + own.x[1]) / 2).attr('y', own.y[0] + 2.5 * unit);
}

function ledgerSlider(frame, series, panels, depth, down) {
  const slider = $('#l-at');
  const go = (index) => {
    layerView.index = index;
    slider.value = index;
    for (const { cross, px } of panels) cross.attr('x1', px[index]).attr('x2', px[index]);
    sayPlace('#l-at', '#l-layer', `down to layer ${down[index]}`, `down to layer ${down[index]} of ${depth}`);
    fillTable(
      '#l-values',
      ['networks', 'activation, decades', 'weights, decades', 'together'],
      series.map((one) => ledgerRow(one, index)),
    );
  };
  slider.max = down.length - 1;
  slider.oninput = () => go(+slider.value);
  for (const { own, px } of panels) pointerArea(own, (x) => go(nearest(px, x)), 'pointermove pointerdown');
  return go;
}

function ledgerRow(one, index) {
  const sums = one.dead
    ? ['–', '–', 'dead, or not known']
    : [one.activation, one.weights, one.both].map((sum) => decades(sum[index], 2));
  return [[swatch(one.colour), ` ${one.label}`], ...sums];
}
