'use strict';
// What the reader chooses: a value of each axis, and which series are compared.

const MOST_LINES = 8;
const several = (axis) => data.values[axis].length > 1;
const chosen = (name) => $(`input[name="${name}"]:checked`).value;
const onRadios = (name, change) =>
  $$(`input[name="${name}"]`).forEach((radio) => radio.addEventListener('change', change));
const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** Leave a section out of the page, and its link out of the list of sections. */
function leaveOut(id) {
  $(`#${id}`).hidden = $(`nav a[href="#${id}"]`).hidden = true;
}

/** A box for each activation, of which the first few are chosen; `active` is the set of those that are. */
function activationChips(host, active, change) {
  for (const name of data.values.activation) {
    const box = element('input', { type: 'checkbox' });
    box.checked = active.size < 4;
    if (box.checked) active.add(name);
    box.addEventListener('change', () => {
      active[box.checked ? 'add' : 'delete'](name);
      change();
    });
    host.append(element('label', {}, box, ' ', swatch(colourOf(name)), ` ${name}`));
  }
}

/** At most `most` values, evenly spaced, the first and the last among them. */
function spread(values, most) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, place) => values[Math.round((place * (values.length - 1)) / (most - 1))]);
}

/**
 * A select for each axis that varies, and the state that they set. With `compare`, one axis other than depth may stand
 * for all of its values ('*').
 */
function axisSelects(host, axes, { compare = false, prefix, first = {}, change }) {
  const state = {};
  const compared = compare ? axes.find((axis) => several(axis) && axis !== 'depth') : undefined;
  for (const axis of axes) {
    const values = data.values[axis];
    state[axis] = axis === compared ? '*' : (first[axis] ?? values[0]);
    if (!several(axis)) continue;
    const select = axisSelect(axis, prefix, compare);
    select.value = state[axis] === '*' ? '*' : values.indexOf(state[axis]);
    select.addEventListener('change', () => {
      state[axis] = select.value === '*' ? '*' : values[+select.value];
      if (state[axis] === '*') chooseOne(state, axes, axis, prefix);
      change();
    });
    host.append(element('label', {}, `${data.words[axis]} `, select));
  }
  state.compared = () => axes.find((axis) => state[axis] === '*');
  return state;
}

function axisSelect(axis, prefix, compare) {
  const values = data.values[axis];
  const options = values.map((value, place) => element('option', { value: place }, valueWords(value)));
  if (compare && axis !== 'depth') {
    options.unshift(element('option', { value: '*' }, values.length > 4 ? `some of ${values.length}` : 'all'));
  }
  return element('select', { id: `${prefix}-${axis}` }, ...options);
}

/** Only one axis is compared at a time: the others go back to their first value. */
function chooseOne(state, axes, compared, prefix) {
  for (const axis of axes) {
    if (axis === compared || state[axis] !== '*') continue;
    state[axis] = data.values[axis][0];
    $(`#${prefix}-${axis}`).value = 0;
  }
}

/** The series of a state: activations × compared values, each with its colour, dash, label and settings. */
function seriesOf(activations, state, { everyDepth = false, names = data.others, find = settingOf } = {}) {
  const axis = state.compared();
  const most = Math.max(2, Math.min(4, Math.floor(MOST_LINES / activations.length)));
  const values = axis ? spread(data.values[axis], most) : [null];
  const make = (activation, value, place) => {
    const fixed = Object.fromEntries(names.map((name) => [name, state[name]]));
    const key = { ...fixed, activation, ...(axis ? { [axis]: value } : {}) };
    const keys = everyDepth ? data.values.depth.map((depth) => ({ ...key, depth })) : [key];
    const parts = [several('activation') || !axis ? activation : null, axis ? named(axis, value) : null];
    return {
      key,
      label: parts.filter(Boolean).join(', '),
      colour: several('activation') ? colourOf(activation) : `var(--c${place % 6})`,
      dash: DASHES[place % 4],
      settings: keys.map(find).filter(Boolean),
    };
  };
  const all = activations.flatMap((activation) => values.map((value, place) => make(activation, value, place)));
  return all.filter((series) => series.settings.length);
}
