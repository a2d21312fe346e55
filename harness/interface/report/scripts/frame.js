'use strict';
// The frame of a chart: its size, axes, labels, and the slider that moves a line over it.

const FULL_WIDTH = 34; // rem; below it a chart has no labels at its right edge: the table under it is the legend

function newFrame(host, { height, right = 0, left = 5, bottom = 3, top = 0.8, label }) {
  const width = Math.max(host.clientWidth, 260);
  const unit = rem();
  host.replaceChildren();
  const svg = d3
    .select(host)
    .append('svg')
    .attr('viewBox', `0 0 ${width} ${height}`)
    .attr('height', height)
    .attr('role', 'img')
    .attr('aria-label', label);
  const x = [left * unit, width - Math.max(right, 12)];
  return { svg, width, height, unit, x, y: [height - bottom * unit, top * unit] };
}

/** Whether there are series to draw. Without any the figure has a sentence in place of its chart, and nothing else. */
function somethingIn(host, series) {
  host.closest('figure').classList.toggle('empty', !series.length);
  if (series.length) return true;
  const none = 'Nothing of this choice is on this page. Choose an activation, or another value.';
  host.replaceChildren(element('p', {}, none));
  return false;
}

const usualHeight = (host) => Math.min(24 * rem(), Math.max(17 * rem(), host.clientWidth * 0.5));

function drawAxes(frame, x, y, { xTicks, xFormat, xLabel, yTicks, yFormat, yLabel }) {
  const { svg, unit } = frame;
  const left = () =>
    d3
      .axisLeft(y)
      .tickValues(yTicks ?? null)
      .ticks(6);
  const group = (name, shift) => svg.append('g').attr('class', name).attr('transform', `translate(${shift})`);
  group('grid', `${frame.x[0]},0`).call(
    left()
      .tickSize(frame.x[0] - frame.x[1])
      .tickFormat(''),
  );
  group('axis', `0,${frame.y[0]}`).call(d3.axisBottom(x).tickValues(xTicks).tickFormat(xFormat).tickSizeOuter(0));
  group('axis', `${frame.x[0]},0`).call(left().tickFormat(yFormat).tickSizeOuter(0));
  const text = (words) => svg.append('text').attr('class', 'lab').attr('text-anchor', 'middle').text(words);
  text(xLabel)
    .attr('x', (frame.x[0] + frame.x[1]) / 2)
    .attr('y', frame.height - 0.3 * unit);
  const middle = (frame.y[0] + frame.y[1]) / 2;
  text(yLabel).attr('transform', `translate(${0.85 * unit},${middle}) rotate(-90)`);
}

/** A horizontal line across the frame. */
function level(frame, name, at) {
  const line = frame.svg.append('line').attr('class', name).attr('x1', frame.x[0]).attr('x2', frame.x[1]);
  return line.attr('y1', at).attr('y2', at);
}

/** A text with a margin in the colour of the page, so that it can be read on lines. */
const note = (frame, x, y, words) =>
  frame.svg.append('text').attr('class', 'halo').attr('x', x).attr('y', y).attr('dy', '.32em').text(words);

/** Places moved as little as possible so that they are a gap apart and within [low, high]. */
function apart(places, gap, low, high) {
  const order = places.map((place, index) => ({ place, index })).sort((a, b) => a.place - b.place);
  let last = low - gap;
  for (const one of order) last = one.place = Math.max(one.place, last + gap);
  last = high + gap;
  for (const one of order.reverse()) last = one.place = Math.min(one.place, last - gap);
  const moved = [];
  for (const { place, index } of order) moved[index] = place;
  return moved;
}

/** The least and the greatest finite value of several lists; never equal. */
function extent(lists) {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [-1, 0];
  return low === high ? [low - 1, high + 1] : [low, high];
}

/** Ticks of an axis that is stretched near 0: 1, 3, 10, 30 … decades on either side. */
function stretchedTicks([low, high]) {
  const sizes = d3.range(5).flatMap((exponent) => [10 ** exponent, 3 * 10 ** exponent]);
  return [0, ...sizes, ...sizes.map((size) => -size)].filter((value) => value >= low && value <= high);
}

/** Ticks at round numbers for an axis of log10 values; where it spans many decades, at powers of ten. */
function roundTicks([low, high]) {
  if (high - low < 1) return d3.ticks(10 ** low, 10 ** high, 5).map(Math.log10);
  if (high - low > 4) return null;
  const powers = d3.range(Math.floor(low), Math.ceil(high) + 1);
  const ticks = powers.flatMap((exponent) => [1, 2, 5].map((digit) => exponent + Math.log10(digit)));
  return ticks.filter((value) => value >= low && value <= high);
}

function decadeScale(domain, range, kind) {
  if (kind === 'stretched') return d3.scaleSymlog().constant(3).domain(domain).range(range);
  return d3.scaleLinear().domain(domain).range(range).nice();
}

/** Whole numbers for an axis of layers or depths: a few, both ends among them. */
function wholeTicks(low, high, frame) {
  if (high <= low) return [low];
  const count = Math.max(2, Math.floor((frame.x[1] - frame.x[0]) / (6 * frame.unit)));
  const margin = (high - low) * 0.09;
  const inside = (value) => Number.isInteger(value) && value - low > margin && high - value > margin;
  return [low, ...d3.ticks(low, high, count).filter(inside), high];
}

/** The index of the place nearest to `at`. */
const nearest = (places, at) => d3.minIndex(places, (place) => Math.abs(place - at));

/** Tie a slider, the pointer and a vertical line together. Returns the function that moves them to an index. */
function tieSlider(frame, places, slider, show) {
  const cross = frame.svg.append('line').attr('class', 'cross').attr('y1', frame.y[1]).attr('y2', frame.y[0]);
  const go = (index) => {
    slider.value = index;
    cross.attr('x1', places[index]).attr('x2', places[index]);
    show(index);
  };
  pointerArea(frame, (x) => go(nearest(places, x)), 'pointermove pointerdown');
  slider.max = places.length - 1;
  slider.oninput = () => go(+slider.value);
  return go;
}

/** An invisible area over the chart that reports where the pointer is. */
function pointerArea(frame, tell, events) {
  const [left, right] = frame.x;
  const area = frame.svg.append('rect').attr('fill', 'none').attr('pointer-events', 'all');
  area.attr('x', left).attr('width', Math.max(right - left, 0));
  area.attr('y', frame.y[1]).attr('height', frame.y[0] - frame.y[1]);
  area.on(events, (event) => tell(d3.pointer(event)[0]));
}

/** Names at the right edge of a chart; of a line that ends before it, where it ends, with the reason. */
function nameLines(frame, series, ends, early) {
  series.forEach((one, place) => {
    if (!early[place]) return;
    const [x, y, reason] = early[place];
    note(frame, x + 8, y, `${one.label}: ${reason}`).style('fill', one.colour);
  });
  if (frame.width < FULL_WIDTH * frame.unit) return;
  const shown = series.map((_, place) => place).filter((place) => !early[place] && Number.isFinite(ends[place]));
  const gap = 1.15 * frame.unit;
  const places = apart(
    shown.map((place) => ends[place]),
    gap,
    frame.y[1],
    frame.y[0],
  );
  shown.forEach((place, index) => {
    note(frame, frame.x[1] + 0.5 * frame.unit, places[index], series[place].label).style('fill', series[place].colour);
  });
}

/** The width that names at the right edge take. */
function nameRoom(host, series) {
  if (host.clientWidth < FULL_WIDTH * rem()) return 12;
  return Math.max(...series.map((one) => one.label.length)) * 0.47 * rem() + rem();
}
