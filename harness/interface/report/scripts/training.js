'use strict';
// The section on training: its controls, and the two sliders that its charts share.

const trainView = { content: null, activations: new Set(), state: null, names: [], step: null, layer: null };

async function setUpTraining() {
  if (!$('#training')) return;
  const content = await unpackedJson('courses');
  trainView.content = content;
  content.axes.forEach(knowAxis);
  trainView.names = [...data.others, ...content.axes.map((axis) => axis.name)];
  const axes = [...data.axes.map((axis) => axis.name), ...content.axes.map((axis) => axis.name)];
  const keyOf = (coordinates) => JSON.stringify(axes.map((axis) => coordinates[axis]));
  const places = new Map(content.courses.map((course) => [JSON.stringify(course.key), course]));
  trainView.find = (coordinates) => places.get(keyOf(coordinates));
  for (const course of content.courses) readNumbers(course);
  for (const { name, words } of content.over) $('#t-over').append(element('option', { value: name }, words));
  for (const { name, words } of content.at) $('#t-measure').append(element('option', { value: name }, words));
  $(`input[name="t-x"][value="${content.log ? 'log' : 'linear'}"]`).checked = true;
  setUpTrainingControls();
  drawTraining();
}

function readNumbers({ over, at }) {
  for (const name of Object.keys(over)) over[name] = over[name].map((values) => values.map(numeric));
  for (const name of Object.keys(at)) at[name] = at[name].map((values) => values.map(numeric));
}

function setUpTrainingControls() {
  activationChips($('#t-activations'), trainView.activations, drawTraining);
  $('#t-activations').hidden = !several('activation');
  trainView.state = axisSelects($('#t-axes'), trainView.names, {
    compare: true,
    prefix: 't',
    first: { depth: Math.max(...data.values.depth) },
    change: drawTraining,
  });
  $('#t-over').addEventListener('change', drawTraining);
  $('#t-measure').addEventListener('change', drawTraining);
  onRadios('t-x', drawTraining);
}

function drawTraining() {
  if (!trainView.content) return;
  const { steps, layers } = trainView.content;
  const { names, find, state } = trainView;
  const series = seriesOf([...trainView.activations], state, { names, find });
  const hosts = ['#t-chart', '#t-profile', '#t-ledger'].map((host) => $(host));
  if (!hosts.map((host) => somethingIn(host, series)).every(Boolean)) return;
  const down = [...layers[state.depth]].reverse();
  trainView.layer = Math.min(trainView.layer ?? down.length - 1, down.length - 1);
  const go = courseSlider(series, steps, (step) => drawTrainedLayers(series, down, step));
  $('#t-caption').textContent = courseCaption(series, steps);
  go(Math.min(trainView.step ?? steps.length - 1, steps.length - 1));
}

function courseCaption(series, steps) {
  const { recorded, count, courses } = trainView.content;
  const thinned = steps.length < recorded ? ` Drawn: ${steps.length} of ${recorded} recorded steps.` : '';
  const left = courses.length < count ? ` On this page: ${courses.length} of ${count} settings and recipes.` : '';
  return `Lines: median of ${series[0].settings[0].draws} draws; band: the middle half. Runs that diverged count up to the last step before.${thinned}${left}`;
}

function courseSlider(series, steps, changed) {
  const { frame, px, y, quartiles } = drawCourses($('#t-chart'), series, $('#t-over').value, steps);
  const dots = series.map((one) =>
    frame.svg.append('circle').attr('r', 4.5).style('fill', one.colour).style('stroke', 'var(--bg)'),
  );
  return tieSlider(frame, px, $('#t-at'), (index) => {
    trainView.step = index;
    dots.forEach((dot, place) => {
      const value = quartiles[place][1][index];
      const known = Number.isFinite(value);
      dot.attr('display', known ? null : 'none');
      dot.attr('cx', px[index]).attr('cy', known ? y(value) : 0);
    });
    sayPlace('#t-at', '#t-step', `step ${d3.format(',')(steps[index])}`);
    const rows = series.map((one) => courseRow(one, index));
    fillTable('#t-values', courseHeads(), rows);
    changed(index);
  });
}

/** The profile and the ledgers of one step, both tied to the slider of layers. */
function drawTrainedLayers(series, down, step) {
  const depth = trainView.state.depth;
  const profile = drawTrainedProfile($('#t-profile'), series, depth, down, $('#t-measure').value, step);
  const panels = drawNormLedgers($('#t-ledger'), series, depth, down, step);
  const go = tieSlider(profile.frame, profile.px, $('#t-layer-at'), (index) => {
    trainView.layer = index;
    for (const { cross, px } of panels) cross.attr('x1', px[index]).attr('x2', px[index]);
    sayPlace('#t-layer-at', '#t-layer', `layer ${down[index]} of ${depth}`);
    const rows = series.map((one) => trainedRow(one, step, index));
    fillTable('#t-layers', TRAINED_HEADS, rows);
  });
  for (const { own, px } of panels) pointerArea(own, (x) => go(nearest(px, x)), 'pointermove pointerdown');
  go(trainView.layer);
  const recorded = data.recorded[depth];
  const thinned = down.length < recorded ? ` Drawn: ${down.length} of ${recorded} layers, evenly spaced.` : '';
  const at = d3.format(',')(trainView.content.steps[step]);
  $('#t-profile-caption').textContent =
    `Medians over draws: lines at step ${at}, dots apart at step 0. The scale fits all steps.${thinned}`;
}
