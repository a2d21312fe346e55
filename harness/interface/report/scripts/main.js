'use strict';
// The page as a whole: the look, and the order in which its parts appear.

/** Set a choice such as the theme as an attribute of the page, or leave it to the system. */
function onChoice(id, name, changed = () => {}) {
  $(id).addEventListener('change', ({ target }) => {
    if (target.value) document.documentElement.dataset[name] = target.value;
    else delete document.documentElement.dataset[name];
    changed();
  });
}

function redraw() {
  drawLayers();
  drawDepths();
  drawWalkView();
  drawTraining();
  drawRemedies();
}

function saveConfig() {
  const address = URL.createObjectURL(new Blob([$('#config').textContent], { type: 'application/yaml' }));
  element('a', { href: address, download: `${data.name}.yaml` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

async function start() {
  const pause = () => new Promise((done) => setTimeout(done)); // the page answers between one part and the next
  const now = () => performance.now().toFixed(0);
  await load();
  setUpLayers();
  setUpDepths();
  setUpWalk();
  onChoice('#theme', 'theme');
  onChoice('#size', 'size', redraw);
  $('#save').addEventListener('click', saveConfig);
  await drawLayers();
  document.documentElement.dataset.first = now(); // milliseconds to the first chart
  await pause();
  drawDepths();
  await pause();
  await pickNetwork();
  await pause();
  await setUpTraining();
  setUpRemedies();
  await pause();
  await setUpNetworks();
  let width = innerWidth;
  addEventListener('resize', () => {
    if (innerWidth !== width) redraw();
    width = innerWidth;
  });
  document.documentElement.dataset.ready = now();
}

start();
