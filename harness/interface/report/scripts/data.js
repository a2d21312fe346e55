'use strict';
// The contents of the page: one small part that is decoded at once, and packed columns that are decoded when first used.

document.documentElement.classList.add('js');

const QUANTUM = 1e-4; // decades
const ZERO = -(2 ** 31); // −∞: the logarithm of an exact 0
const UNKNOWN = ZERO + 1;

let data; // what `load` decodes

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** An element of HTML with attributes and children; texts are texts, never markup. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

async function unpacked(name) {
  const text = atob($(`#${name}`).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i); // Uint8Array.from takes four times as long
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
}

const unpackedJson = async (name) => JSON.parse(new TextDecoder().decode(await unpacked(name)));

/** Packed steps as whole numbers: all lowest bytes come first, then all second ones, and so on. */
async function unpackedSteps(name) {
  const bytes = new Uint8Array(await unpacked(name));
  const count = bytes.length / 4;
  const steps = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    steps[i] = bytes[i] | (bytes[count + i] << 8) | (bytes[2 * count + i] << 16) | (bytes[3 * count + i] << 24);
  }
  return steps;
}

/** A column of `count` values from place `from` of packed steps. */
function column(steps, from, count) {
  const values = new Float64Array(count);
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const step = steps[from + i];
    if (step > UNKNOWN) sum += step;
    values[i] = step === ZERO ? -Infinity : step === UNKNOWN ? NaN : sum * QUANTUM;
  }
  return values;
}

/** A number as the page's JSON has it. */
const numeric = (value) =>
  value === null ? NaN : typeof value === 'string' ? Number(value.replace('inf', 'Infinity')) : value;

let profileSteps;
let chainSteps = null;

async function load() {
  data = await unpackedJson('data');
  Object.assign(data, { values: {}, words: {}, alone: {} });
  data.axes.forEach(knowAxis);
  data.others = data.axes.map((axis) => axis.name).filter((name) => name !== 'activation');
  data.measureWords = Object.fromEntries(data.measures.map((measure) => [measure.name, measure.words]));
  data.places = new Map(data.settings.map((setting, place) => [JSON.stringify(setting.key), place]));
  for (const setting of data.settings) {
    setting.depth = setting.key[data.axes.findIndex((axis) => axis.name === 'depth')];
    setting.gain = setting.gain.map(numeric);
    setting.theory = setting.theory.map(numeric);
    setting.chains = [];
  }
  placeColumns();
  profileSteps = await unpackedSteps('profiles');
}

/** Keep the values and the words of an axis under its name. */
function knowAxis({ name, values, words, alone }) {
  data.values[name] = values;
  data.words[name] = words;
  data.alone[name] = alone;
}

/** Where the columns of each setting, and of each chain, begin. */
function placeColumns() {
  let at = 0;
  for (const setting of data.settings) {
    setting.at = at;
    at += data.measures.length * 3 * data.layers[setting.depth].length;
  }
  at = 0;
  for (const walk of data.walks.index) {
    const setting = data.settings[walk.setting];
    walk.at = at;
    walk.depth = setting.depth;
    at += 4 * walk.depth + 1;
    setting.chains.push(walk);
  }
}

/** The place in `data.settings` of coordinates given by name; undefined where the page has no such setting. */
const placeOf = (coordinates) => data.places.get(JSON.stringify(data.axes.map((axis) => coordinates[axis.name])));

/** The setting of such coordinates. */
const settingOf = (coordinates) => data.settings[placeOf(coordinates)];

/** Quartile 0, 1 or 2 of a measure of a setting at its drawn layers, from the last layer down to the first. */
function profile(setting, measure, quartile) {
  const count = data.layers[setting.depth].length;
  const place = data.measures.findIndex((one) => one.name === measure) * 3 + quartile;
  return column(profileSteps, setting.at + place * count, count).reverse();
}

const chainsRead = new Map();

/** The chain of a network: `norms` ∂C/∂r[L], ∂C/∂z[L], …, ∂C/∂r[0]; `weights` and `largest` from layer L down. */
async function chainOf(walk) {
  if (chainsRead.has(walk)) return chainsRead.get(walk);
  chainSteps ??= await unpackedSteps('chains');
  const { depth, at } = walk;
  const chain = {
    depth,
    norms: column(chainSteps, at, 2 * depth + 1),
    weights: column(chainSteps, at + 2 * depth + 1, depth),
    largest: column(chainSteps, at + 3 * depth + 1, depth),
  };
  if (chainsRead.size > 64) chainsRead.clear();
  chainsRead.set(walk, chain);
  return chain;
}

const deltaAt = (chain, layer) => chain.norms[2 * (chain.depth - layer) + 1]; // ‖∂C/∂z[layer]‖
const outputAt = (chain, layer) => chain.norms[2 * (chain.depth - layer)]; // ‖∂C/∂r[layer]‖

/** The measures that a chain has, at a layer. */
const OF_CHAIN = {
  log10_relative: (chain, layer) => deltaAt(chain, layer) - deltaAt(chain, chain.depth),
  log10_grad_preactivations: deltaAt,
  log10_grad_weights: (chain, layer) => chain.weights[chain.depth - layer],
  log10_activation_factor: (chain, layer) => deltaAt(chain, layer) - outputAt(chain, layer),
  log10_weight_factor: (chain, layer) => outputAt(chain, layer - 1) - deltaAt(chain, layer),
};
