'use strict';
// Walk a gradient: one network, one equation at a time, with the measured factors, the ledger and the formats.

const walkView = { step: 0, playing: 0, state: null, walk: null, chain: null, sums: null, move: null };

function setUpWalk() {
  if (!data.walks.index.length) leaveOut('walk');
  const activations = data.values.activation;
  const walkable = data.values.depth.filter((depth) => depth <= 64);
  walkView.state = axisSelects(
    $('#w-axes'),
    data.axes.map((axis) => axis.name),
    {
      prefix: 'w',
      first: {
        activation: activations.includes('sigmoid') ? 'sigmoid' : activations[0],
        depth: walkable.at(-1) ?? data.values.depth[0],
      },
      change: () => pickNetwork(),
    },
  );
  const [any] = data.walks.index;
  if (any && !settingOf(walkView.state)?.chains.length) chooseSettingOf(any);
  onRadios('w-y', drawWalkView);
  $('#w-draw').addEventListener('change', () => pickNetwork($('#w-draw').value));
  const go = (to) => () => {
    if (walkView.playing) stopPlaying();
    goTo(to());
  };
  $('#w-first').addEventListener(
    'click',
    go(() => 0),
  );
  $('#w-back').addEventListener(
    'click',
    go(() => walkView.step - 1),
  );
  $('#w-next').addEventListener(
    'click',
    go(() => walkView.step + 1),
  );
  $('#w-last').addEventListener(
    'click',
    go(() => Infinity),
  );
  $('#w-at').addEventListener(
    'input',
    go(() => +$('#w-at').value),
  );
  $('#w-play').addEventListener('click', () => (walkView.playing ? stopPlaying() : play()));
}

/** Set the selects to the setting of a chain. */
function chooseSettingOf(walk) {
  data.axes.forEach(({ name, values }, place) => {
    walkView.state[name] = data.settings[walk.setting].key[place];
    if (values.length > 1) $(`#w-${name}`).value = values.indexOf(walkView.state[name]);
  });
}

/** Show a network by its key, or else the first draw of the chosen setting. */
async function pickNetwork(name) {
  if ($('#walk').hidden) return;
  const place = placeOf(walkView.state);
  const draws = place === undefined ? [] : data.settings[place].chains;
  $('#w-body').hidden = !draws.length;
  if (!draws.length) {
    $('#w-note').textContent = 'There is no such network in this sweep, or it is not on this page.';
    return;
  }
  const option = ({ network, rank }) =>
    element('option', { value: network }, network.split('-')[1] + (rank && ` (${rank} attenuation)`));
  $('#w-draw').replaceChildren(...draws.map(option));
  const walk = draws.find((draw) => draw.network === name) ?? draws[0];
  $('#w-draw').value = walk.network;
  walkView.walk = walk;
  walkView.chain = await chainOf(walk);
  walkView.sums = ledgerSums(walkView.chain.norms);
  walkView.step = name === undefined ? Math.min(walkView.step, 2 * walk.depth) : 0;
  $('#w-at').max = 2 * walk.depth;
  $('#w-note').textContent = walkNote(walk, data.settings[place].draws);
  drawWalkView();
}

function walkNote(walk, draws) {
  const shown = Math.min(data.walks.draws, draws);
  return `Network ${walk.network}. Norms are over the whole batch. On this page: ${shown} of ${draws} draws of each setting, ${data.walks.rows.toLocaleString('en')} layers, to ${QUANTUM} decades. Any other network can be built again with the line from the table below.`;
}

/** Decades summed up to each step: of equation (1), the activation's, and of equation (2), the weights'. */
function ledgerSums(norms) {
  const sum = (first) => {
    const sums = new Float64Array(norms.length);
    for (let step = 0; step + 1 < norms.length; step++) {
      sums[step + 1] = sums[step] + (step % 2 === first ? norms[step + 1] - norms[step] : 0);
    }
    return sums;
  };
  return { activation: sum(0), weights: sum(1) };
}

function drawWalkView() {
  if (!walkView.chain || $('#w-body').hidden) return;
  const colour = colourOf(walkView.state.activation);
  walkView.move = drawWalk($('#w-chart'), walkView.chain, walkView.walk.network, colour, chosen('w-y'), goTo);
  goTo(walkView.step);
}

function goTo(step) {
  const { chain } = walkView;
  if (!chain || !walkView.move) return;
  const last = 2 * chain.depth;
  walkView.step = Math.max(0, Math.min(last, step));
  const at = placeOfStep(walkView.step, chain.depth);
  const largest = chain.largest[chain.depth - at.layer];
  const holds = FORMATS.map((format) => held(largest, format));
  $('#w-at').value = walkView.step;
  sayPlace('#w-at', '#w-where', at.words);
  showEquations(chain, at);
  showLedger();
  showFormats(at.layer, largest, holds);
  walkView.move(walkView.step, holds);
  $('#w-back').disabled = $('#w-first').disabled = walkView.step === 0;
  $('#w-next').disabled = $('#w-last').disabled = walkView.step === last;
  if (walkView.playing) return;
  const formats = FORMATS.map(({ name }, place) => `${name} ${holds[place].words}`);
  $('#w-live').textContent = `${at.words}: ${power(chain.norms[walkView.step])}; ${formats.join(', ')}.`;
}

/** The layer and the equation of a step: odd steps are (1) at a layer, even ones (2) from it down. */
function placeOfStep(step, depth) {
  if (!step) return { layer: depth, equation: 0, words: `at the output, layer ${depth}` };
  const layer = depth - Math.floor((step - 1) / 2);
  if (step % 2) return { layer, equation: 1, words: `(1) at layer ${layer}` };
  return {
    layer,
    equation: 2,
    words: layer > 1 ? `(2) from layer ${layer} down to ${layer - 1}` : '(2) down to the input',
  };
}

function showEquations(chain, { layer, equation }) {
  const delta = deltaAt(chain, layer);
  const above = outputAt(chain, layer);
  const below = outputAt(chain, layer - 1);
  const started = equation > 0;
  const values = [
    started && [`‖∂C/∂z[${layer}]‖ = ${power(above)} × ${power(delta - above)} = `, power(delta)],
    equation === 2 && [`‖∂C/∂r[${layer - 1}]‖ = ${power(delta)} × ${power(below - delta)} = `, power(below)],
    started && [`‖∂C/∂W[${layer - 1}]‖ = `, power(OF_CHAIN.log10_grad_weights(chain, layer))],
  ];
  $$('#w-eq li').forEach((item, place) => {
    const current = started && (place + 1 === equation || (place === 2 && equation === 1));
    item[current ? 'setAttribute' : 'removeAttribute']('aria-current', 'step');
    const value = $('.val', item);
    value.classList.toggle('later', !values[place]);
    const waiting = !started && !place ? `starts from ‖∂C/∂r[${layer}]‖ = ${power(above)}` : 'not yet';
    value.replaceChildren(...(values[place] ? [values[place][0], element('b', {}, values[place][1])] : [waiting]));
  });
}

function showLedger() {
  const { activation, weights } = walkView.sums;
  const largest = Math.max(1e-9, ...extent([activation, weights]).map(Math.abs));
  const now = [activation[walkView.step], weights[walkView.step]];
  const colours = [colourOf(walkView.state.activation), 'var(--weights)', 'var(--ink)'];
  const dead = walkView.chain.norms[walkView.step] === -Infinity;
  $$('#w-ledger tr').forEach((row, place) => {
    const value = place < 2 ? now[place] : now[0] + now[1];
    const half = (Math.min(1, Math.abs(Number.isFinite(value) ? value : -largest) / largest) || 0) * 50;
    $('td', row).textContent = dead && (place === 2 || Number.isNaN(value)) ? '−∞' : decades(value, 2);
    const bar = $('rect', row);
    bar.setAttribute('x', `${value > 0 ? 50 : 50 - half}%`);
    bar.setAttribute('width', `${half}%`);
    bar.style.fill = colours[place];
  });
}

function showFormats(layer, largest, holds) {
  $('#w-formats caption').textContent =
    `The largest entry of ∂C/∂z[${layer}], ${power(largest, 2)}, as each format holds it`;
  const row = ({ name }, place) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, name),
      element('td', { class: holds[place].kind }, holds[place].words),
    );
  $('#w-formats tbody').replaceChildren(...FORMATS.map(row));
}

const SECONDS = 24; // that a whole walk takes at most

function play() {
  const { depth } = walkView.chain;
  if (walkView.step === 2 * depth) goTo(0);
  const from = walkView.step;
  const each = Math.max(11, Math.min(700, (1000 * SECONDS) / (2 * depth))); // milliseconds a step
  const began = performance.now();
  sayPlaying('Pause', 'true');
  const next = (now) => {
    const step = Math.min(2 * depth, from + Math.max(0, Math.floor((now - began) / each)));
    if (step !== walkView.step) goTo(step);
    if (step >= 2 * depth) stopPlaying();
    else walkView.playing = requestAnimationFrame(next);
  };
  walkView.playing = requestAnimationFrame(next);
}

function stopPlaying() {
  cancelAnimationFrame(walkView.playing);
  walkView.playing = 0;
  sayPlaying('Play', 'false');
  goTo(walkView.step);
}

function sayPlaying(words, pressed) {
  $('#w-play').textContent = words;
  $('#w-play').setAttribute('aria-pressed', pressed);
}
