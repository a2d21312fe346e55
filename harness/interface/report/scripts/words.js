'use strict';
// Numbers, names and colours as readers see them.

const DASHES = ['', '7 4', '2 3', '9 3 2 3'];
const SVG = 'http://www.w3.org/2000/svg';

const superscript = (number) => String(number).replace(/[-0-9]/g, (sign) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(sign)]);
const minus = (text) => String(text).replace('-', '−');

/** A number of decades with its sign. */
function decades(value, digits = 3) {
  if (Number.isNaN(value)) return '–';
  if (!Number.isFinite(value)) return value < 0 ? '−∞' : '+∞';
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : (value < 0 ? '−' : '+') + text;
}

/** The number whose log10 is given; it may be smaller than every float. */
function power(log10, digits = 3) {
  if (Number.isNaN(log10)) return '–';
  if (log10 === -Infinity) return '0';
  if (log10 > -3 && log10 < 4) return minus(Number((10 ** log10).toPrecision(digits)));
  let exponent = Math.floor(log10);
  let mantissa = (10 ** (log10 - exponent)).toPrecision(digits);
  if (Number(mantissa) >= 10) {
    exponent++;
    mantissa = (1).toPrecision(digits);
  }
  return `${mantissa} × 10${superscript(exponent)}`;
}

/** A tick of an axis in decades: 10⁻¹⁰⁰. */
function tick(value) {
  if (Math.abs(value) < 1e-9) return '1';
  const whole = +value.toFixed(6);
  return Number.isInteger(whole) ? `10${superscript(whole)}` : `10^${minus(whole)}`;
}

const percent = (share, digits = 1) => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(digits)} %`);
const factor = (log10) => `×${Number((10 ** log10).toPrecision(3))}`;

/** A value of an axis; null stands for none. */
const valueWords = (value) => (value === null ? 'none' : String(value));

/** A value of an axis with what it is: `width 8`, or `he_normal` alone. */
function named(axis, value) {
  return data.alone[axis] ? valueWords(value) : `${data.words[axis]} ${valueWords(value)}`;
}

const colourOf = (activation) => `var(--c${data.values.activation.indexOf(activation) % 6})`;

/** A short line in the colour and dash of a series, as a key. */
function swatch(stroke, dash = '') {
  const svg = document.createElementNS(SVG, 'svg');
  const line = document.createElementNS(SVG, 'line');
  const set = (of, attributes) => Object.entries(attributes).forEach(([name, value]) => of.setAttribute(name, value));
  set(svg, { width: 30, height: 10, 'aria-hidden': 'true' });
  set(line, { x1: 1, x2: 29, y1: 5, y2: 5, 'stroke-width': 3, 'stroke-dasharray': dash });
  line.style.stroke = stroke;
  svg.append(line);
  return svg;
}

/** Fill a table: each row begins with its header, a list of texts and elements. */
function fillTable(id, heads, rows) {
  const headCells = heads.map((head, place) => element('th', { scope: 'col', class: place ? 'n' : null }, head));
  $(`${id} thead`).replaceChildren(element('tr', {}, ...headCells));
  const cell = (content, place) =>
    place ? element('td', { class: 'n' }, content) : element('th', { scope: 'row' }, ...content);
  $(`${id} tbody`).replaceChildren(...rows.map((row) => element('tr', {}, ...row.map(cell))));
}

/** Tell where a slider stands, to eyes and to screen readers. */
function sayPlace(slider, output, text, spoken = text) {
  $(output).textContent = text;
  $(slider).setAttribute('aria-valuetext', spoken);
}
