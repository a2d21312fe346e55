'use strict';
// Remedies: what each kind of network keeps of the gradient, and the shares of its residual blocks.

const KEPT = 3; // decades, within which a gradient counts as kept
const LANE = 1.05; // rem, of an activation
const PARTS = ['skip', 'branch', 'agreement'];

function setUpRemedies() {
  if (!$('#remedies')) return;
  const depths = [...new Set(data.remedies.rows.map((row) => row.depth))].sort((a, b) => a - b);
  for (const row of data.remedies.rows) {
    row.gain = row.gain.map(numeric);
    row.theory = numeric(row.theory);
  }
  $('#r-depth').append(...depths.map((depth) => element('option', { value: depth }, String(depth))));
  $('#r-depth').value = depths.at(-1);
  $('#r-depth').addEventListener('change', drawRemedies);
  for (const name of data.values.activation) {
    $('#r-key').append(element('span', { class: 'swatched' }, swatch(colourOf(name)), ` ${name}`));
  }
  drawRemedies();
}

function drawRemedies() {
  if (!$('#remedies')) return;
  const depth = +$('#r-depth').value;
  const rows = data.remedies.rows.filter((row) => row.depth === depth);
  $$('#r-table tbody tr').forEach((row) => (row.hidden = +row.dataset.depth !== depth));
  drawKept($('#r-chart'), rows, depth);
  const blocks = rows.filter((row) => row.shares);
  $('#r-blocks').hidden = !blocks.length;
  if (blocks.length) drawShares($('#r-shares'), blocks, depth);
}

/** Lanes for the rows, those of a kind together under its name: the frame, and the height of each row's lane. */
function laneFrame(host, rows, label) {
  const unit = rem();
  const kinds = [...new Set(rows.map((row) => row.kind))];
  const height = (kinds.length * 1.9 + rows.length * LANE + 3.6) * unit;
  const frame = newFrame(host, { height, left: 0.6, right: 4.2 * unit, bottom: 3, label });
  let at = frame.y[1];
  const lanes = new Map();
  for (const kind of kinds) {
    note(frame, frame.x[0], at + 0.8 * unit, data.remedies.kinds[kind]).attr('font-weight', 600);
    at += 1.4 * unit;
    for (const row of rows.filter((one) => one.kind === kind)) {
      lanes.set(row, at + (LANE / 2) * unit);
      at += LANE * unit;
    }
    at += 0.5 * unit;
  }
  return { frame, lanes };
}

function laneAxis(frame, x, ticks, format, label) {
  const { svg, unit } = frame;
  const axis = () => d3.axisBottom(x).tickValues(ticks);
  const place = `translate(0,${frame.y[0]})`;
  const group = (name) => svg.insert('g', ':first-child').attr('class', name).attr('transform', place);
  group('grid').call(
    axis()
      .tickSize(frame.y[1] - frame.y[0])
      .tickFormat(''),
  );
  group('axis').call(axis().tickFormat(format).tickSizeOuter(0));
  const text = svg.append('text').attr('class', 'lab').attr('text-anchor', 'middle').text(label);
  text.attr('x', (frame.x[0] + frame.x[1]) / 2).attr('y', frame.height - 0.3 * unit);
}

function drawKept(host, rows, depth) {
  const label = `What is left at the first layer of networks of depth ${depth}, by kind of network. The table below has the values.`;
  const { frame, lanes } = laneFrame(host, rows, label);
  const domain = extent([...rows.map((row) => row.gain), rows.map((row) => row.theory), [-KEPT, KEPT]]);
  const x = decadeScale(domain, frame.x, 'stretched');
  const wanted = stretchedTicks(domain).sort((a, b) => Math.abs(a) - Math.abs(b));
  laneAxis(frame, x, apartFrom0(wanted, x, 3.2 * frame.unit), tick, 'left at the first layer');
  const band = frame.svg.insert('rect', ':first-child').attr('class', 'kept').attr('x', x(-KEPT));
  band.attr('width', x(KEPT) - x(-KEPT)).attr('y', frame.y[1]).attr('height', frame.y[0] - frame.y[1]);
  upright(frame, x(0));
  for (const row of rows) drawRemedy(frame, row, lanes.get(row), x);
}

/** The ticks, nearest to 0 first, that are a gap apart. */
function apartFrom0(ticks, x, gap) {
  const kept = [];
  for (const value of ticks) if (kept.every((other) => Math.abs(x(other) - x(value)) >= gap)) kept.push(value);
  return kept;
}

function drawRemedy(frame, { gain, theory, activation }, y, x) {
  const { svg, unit } = frame;
  const colour = colourOf(activation);
  const [low, median, high] = gain;
  const line = (from, to) => svg.append('line').attr('x1', from).attr('x2', to);
  if (Number.isFinite(median)) {
    const start = x(Number.isFinite(low) ? low : x.domain()[0]);
    line(start, x(high)).attr('y1', y).attr('y2', y).style('stroke', colour).attr('stroke-width', 3);
    svg.append('circle').attr('cx', x(median)).attr('cy', y).attr('r', 5).style('fill', colour);
  }
  if (Number.isFinite(theory)) {
    const dash = line(x(theory), x(theory)).attr('y1', y - 0.5 * unit).attr('y2', y + 0.5 * unit);
    dash.style('stroke', 'var(--ink)').attr('stroke-width', 1.8).attr('stroke-dasharray', '3 2');
  }
  const words = median === -Infinity ? 'dead' : decades(median, 2);
  note(frame, frame.x[1] + 0.5 * unit, y, words).style('fill', colour);
}

function drawShares(host, rows, depth) {
  const label = `Shares of skip, branch and agreement in a residual block's squared gradient at depth ${depth}. The table below has the values.`;
  const { frame, lanes } = laneFrame(host, rows, label);
  const ends = rows.map(({ shares: [, , agreement] }) => [Math.min(agreement, 0), 1 - Math.min(agreement, 0)]);
  const x = d3.scaleLinear(extent([...ends, [0, 1]]), frame.x);
  laneAxis(frame, x, x.ticks(5), (value) => percent(value, 0), 'share of the squared gradient');
  upright(frame, x(0));
  for (const row of rows) drawBlock(frame, row, lanes.get(row), x);
}

/** The vertical line of 0, behind names and marks. */
function upright(frame, at) {
  const zero = frame.svg.insert('line', '.halo').attr('class', 'zero').attr('x1', at).attr('x2', at);
  zero.attr('y1', frame.y[1]).attr('y2', frame.y[0]);
}

/** Skip, branch and agreement one after the other; a negative agreement to the left of 0. */
function drawBlock(frame, { shares, activation }, y, x) {
  let at = 0;
  shares.forEach((share, place) => {
    const from = share < 0 ? share : at;
    const rect = frame.svg.append('rect').attr('class', `of-${PARTS[place]}`);
    rect.attr('x', x(from)).attr('width', x(from + Math.abs(share)) - x(from));
    rect.attr('y', y - 0.4 * frame.unit).attr('height', 0.8 * frame.unit);
    at += Math.max(share, 0);
  });
  note(frame, frame.x[1] + 0.5 * frame.unit, y, activation).style('fill', colourOf(activation));
}
