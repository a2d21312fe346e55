'use strict';
// The chart of a walk: the norm of the gradient from the output to the input, beside the ranges of number formats.

// Significant bits, exponent of the smallest normal number and of the end of the range, in base 2.
const FORMATS = [
  { name: 'float16', bits: 11, least: -14, end: 16 },
  { name: 'bfloat16', bits: 8, least: -126, end: 128 },
  { name: 'float32', bits: 24, least: -126, end: 128 },
  { name: 'float64', bits: 53, least: -1022, end: 1024 },
];
const TWO = Math.log10(2);

/** How a format holds a number given by its log10: `kind` fine, part or zero, and words. */
function held(log10, { bits, least, end }) {
  const two = log10 / TWO;
  if (Number.isNaN(log10)) return { kind: 'part', words: 'not known' };
  if (log10 === -Infinity) return { kind: 'zero', words: 'exactly 0' };
  if (two >= end) return { kind: 'zero', words: '∞: beyond its end' };
  if (two < least - bits) return { kind: 'zero', words: 'reads 0' }; // under half of the smallest subnormal number
  if (two < least) {
    const left = Math.max(1, Math.floor(two) - (least - bits));
    return { kind: 'part', words: `${left} of ${bits} bits left` };
  }
  return { kind: 'fine', words: `all ${bits} bits` };
}

/** Draw the chart of a chain. Returns `move`, which takes the step and what each format holds there. */
function drawWalk(host, chain, name, colour, kind, jump) {
  const { depth, norms } = chain;
  const wide = Math.min(2.6, Math.max(1.55, host.clientWidth / rem() / 16)); // rem, of a bar
  const frame = newFrame(host, {
    height: Math.min(32 * rem(), Math.max(23 * rem(), host.clientWidth * 0.8)),
    right: (wide * 4 + 0.9) * rem(),
    top: 4.6,
    label: `The norm of the gradient from the output to the input of network ${name}, beside the ranges of four number formats.`,
  });
  const [low, high] = extent([norms, chain.largest, [0]]);
  const domain = [Math.min(low * 1.04, -12), Math.max(high * 1.04, 6)];
  const x = d3.scaleLinear([0, 2 * depth], frame.x);
  const y = decadeScale(domain, frame.y, kind);
  drawAxes(frame, x, y, {
    xTicks: wholeTicks(0, depth, frame).map((layer) => 2 * (depth - layer)),
    xFormat: (step) => String(depth - step / 2),
    xLabel: 'layer: output → input',
    yLabel: 'size of the gradient',
    yFormat: tick,
    yTicks: kind === 'stretched' ? stretchedTicks(domain) : null,
  });
  const bars = FORMATS.map((format, place) => drawFormat(frame, y, domain, format, place, wide));
  const clip = drawChain(frame, x, y, norms, colour);
  const mark = drawMark(frame);
  pointerArea(frame, (at) => jump(Math.round(x.invert(at))), 'pointerdown');
  return (step, holds) => {
    bars.forEach((bar, place) => bar.style('stroke', BAR_STROKES[holds[place].kind]));
    clip.attr('x', frame.x[0] - 4).attr('width', x(step) - frame.x[0] + 5);
    const value = norms[step];
    mark(x(step), Number.isFinite(value) ? y(value) : frame.y[0], power(value), step > depth);
  };
}

const BAR_STROKES = { zero: 'var(--bad)', part: 'var(--maybe)', fine: 'none' };

/** The range of a format as a bar: plain where it has all digits, hatched where it loses them. Returns its outline. */
function drawFormat(frame, y, domain, { name, bits, least, end }, place, wide) {
  const { svg, unit } = frame;
  const left = frame.x[1] + (0.9 + place * wide) * unit;
  const width = (wide - 0.35) * unit;
  const inside = (value) => y(Math.max(domain[0], Math.min(domain[1], value * TWO)));
  const part = (from, to, fill, stroke) => {
    const bar = svg.append('rect').attr('x', left).attr('width', width).attr('y', inside(to));
    bar
      .attr('height', Math.max(0, inside(from) - inside(to)))
      .style('fill', fill)
      .style('stroke', stroke);
  };
  if (!place) addHatch(svg);
  part(least, end, 'var(--full)', 'var(--c0)');
  part(least - bits, least, 'url(#w-hatch)', 'var(--maybe)');
  if ((least - bits) * TWO > domain[0]) {
    const bottom = svg
      .append('line')
      .attr('x1', left)
      .attr('x2', left + width)
      .style('stroke', 'var(--bad)');
    bottom
      .attr('y1', inside(least - bits))
      .attr('y2', inside(least - bits))
      .attr('stroke-width', 2.5);
  }
  const turned = `translate(${left + width / 2 + 0.28 * unit},${frame.y[1] - 0.5 * unit}) rotate(-90)`;
  svg.append('text').attr('transform', turned).text(name);
  const outline = svg
    .append('rect')
    .attr('x', left - 1.5)
    .attr('width', width + 3)
    .attr('y', frame.y[1]);
  return outline
    .attr('height', frame.y[0] - frame.y[1])
    .attr('fill', 'none')
    .attr('stroke-width', 2);
}

function addHatch(svg) {
  const hatch = svg.append('pattern').attr('id', 'w-hatch').attr('width', 6).attr('height', 6);
  hatch.attr('patternUnits', 'userSpaceOnUse').attr('patternTransform', 'rotate(45)');
  hatch.append('rect').attr('width', 6).attr('height', 6).style('fill', 'var(--bg)');
  hatch.append('rect').attr('width', 3).attr('height', 6).style('fill', 'var(--maybe)');
}

/** The chain as a pale line, and what is walked of it in colour: the activation's steps and the weights'. */
function drawChain(frame, x, y, norms, colour) {
  const steps = d3
    .range(norms.length - 1)
    .filter((step) => Number.isFinite(norms[step]) && Number.isFinite(norms[step + 1]));
  const point = (step) => `${x(step).toFixed(2)},${y(norms[step]).toFixed(2)}`;
  const path = (of) => of.map((step) => `M${point(step)}L${point(step + 1)}`).join('');
  const add = (parent, stroke, of) =>
    parent.append('path').attr('fill', 'none').style('stroke', stroke).attr('d', path(of));
  add(frame.svg, 'var(--soft)', steps).attr('stroke-opacity', 0.35).attr('stroke-width', 1.5);
  const clip = frame.svg
    .append('clipPath')
    .attr('id', 'w-clip')
    .append('rect')
    .attr('y', 0)
    .attr('height', frame.height);
  const walked = frame.svg
    .append('g')
    .attr('clip-path', 'url(#w-clip)')
    .attr('stroke-width', 3)
    .attr('stroke-linecap', 'round');
  const few = norms.length <= 201; // of more steps a single one cannot be seen
  add(walked, colour, few ? steps.filter((step) => step % 2 === 0) : steps);
  if (few)
    add(
      walked,
      'var(--weights)',
      steps.filter((step) => step % 2),
    );
  return clip;
}

/** The dot at the current step, its value, and a line from it to the bars. */
function drawMark(frame) {
  const { svg } = frame;
  const line = svg
    .append('line')
    .style('stroke', 'var(--ink)')
    .attr('stroke-width', 1.2)
    .attr('stroke-dasharray', '3 3');
  const dot = svg.append('circle').attr('r', 6).style('fill', 'var(--ink)');
  const tag = svg.append('text').attr('class', 'halo').attr('font-weight', 700);
  return (x, y, words, late) => {
    dot.attr('cx', x).attr('cy', y);
    line.attr('x1', x).attr('x2', frame.width).attr('y1', y).attr('y2', y);
    tag
      .attr('x', x + (late ? -10 : 10))
      .attr('y', y - 10)
      .attr('text-anchor', late ? 'end' : 'start')
      .text(words);
  };
}
