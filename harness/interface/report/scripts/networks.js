'use strict';
// The table of networks: sorted, filtered, with the line of Python that builds each again.

const FILTERS = ['regime', 'status'];
const MOST_CHOICES = 60; // of a filter

async function setUpNetworks() {
  const table = await unpackedJson('table');
  const { names, titles, digits, levels, columns } = table;
  const valueAt = (name) => (_, row) =>
    levels[name] ? (levels[name][columns[name][row]] ?? null) : columns[name][row];
  const decoded = names.map((name) => columns[name].map((_, row) => valueAt(name)(_, row)));
  const rows = d3.range(decoded[0].length).map((row) => [row, ...decoded.map((values) => values[row])]);
  const networkOf = (row) => (table.whole ? decoded[names.indexOf('network')][row] : null);
  const walks = new Map(data.walks.index.map((walk) => [walk.network, walk]));
  const shown = new DataTable('#n-table', {
    data: rows,
    deferRender: true,
    pageLength: 10,
    lengthMenu: [10, 25, 100],
    order: [],
    autoWidth: false,
    columns: [
      {
        title: 'do',
        orderable: false,
        searchable: false,
        visible: table.whole,
        render: (row, type) => (type === 'display' ? buttons(networkOf(row), row, walks) : row),
      },
      ...names.map((name, place) => ({
        title: titles[place],
        render: cellOf(digits[place]),
        ...(levels[name] || name === 'network' ? {} : { type: 'num', className: 'dt-right' }),
      })),
    ],
    language: {
      search: 'Find',
      lengthMenu: '_MENU_ a page',
      info: '_START_ to _END_ of _TOTAL_',
      infoFiltered: '(of _MAX_)',
      entries: table.whole ? { _: 'networks', 1: 'network' } : { _: 'settings', 1: 'setting' },
    },
  });
  addFilters(shown, table, decoded);
  $('#n-lead').textContent = networksLead(table, rows.length);
  if (table.whole) listenToButtons(networkOf, walks);
}

function networksLead(table, count) {
  if (table.whole)
    return 'Every network of the sweep. Sort by the head of a column. The line that builds a network again, weights and inputs to the last bit, is copied by its button.';
  const left = data.settingsOfSweep > count ? `${count} evenly spaced ones of ${data.settingsOfSweep}` : `all ${count}`;
  return `Settings, ${left}, with medians over their draws: the networks are too many for this page, and are in the folder networks/ of the results.`;
}

/** How a cell is shown, sorted and searched; every text is escaped. */
function cellOf(digits) {
  return (value, type) => {
    if (type !== 'display') return value === null ? -Infinity : value;
    if (value === null) return '–';
    if (typeof value === 'number') return digits === null ? String(value) : decades(value, digits);
    return DataTable.util.escapeHtml(String(value));
  };
}

function buttons(network, row, walks) {
  const name = DataTable.util.escapeHtml(network);
  const button = (action, label) =>
    `<button type="button" data-${action}="${row}" aria-label="${label} ${name}">${action}</button>`;
  const copy = button('copy', 'copy the line that builds again');
  return walks.has(network) ? `${copy} ${button('walk', 'walk the gradient of')}` : copy;
}

function addFilters(shown, table, decoded) {
  const axes = data.axes.map((axis) => axis.name);
  table.names.forEach((name, place) => {
    if (!axes.includes(name) && !FILTERS.includes(name)) return;
    const values = [...new Set(decoded[place])];
    if (values.length < 2 || values.length > MOST_CHOICES) return;
    const options = values.map((value) =>
      element('option', { value: String(value) }, value === null ? '–' : String(value)),
    );
    const select = element('select', { id: `n-${name}` }, element('option', { value: '' }, 'all'), ...options);
    select.addEventListener('change', () => {
      const fits = select.value === '' ? '' : (_, row) => String(row[place + 1]) === select.value;
      shown
        .column(place + 1)
        .search(fits)
        .draw();
    });
    $('#n-filters').append(element('label', {}, `${table.titles[place]} `, select));
  });
}

function listenToButtons(networkOf, walks) {
  const line = (network) =>
    `import harness; net = harness.load(${JSON.stringify(`results/${data.name}`)}).build(${JSON.stringify(network)})  # net.weights, net.biases, net.inputs, net.targets`;
  $('#n-line').textContent = line(networkOf(0));
  $('#n-table').addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (button?.dataset.copy) copyLine(line(networkOf(+button.dataset.copy)));
    if (button?.dataset.walk) walkNetwork(walks.get(networkOf(+button.dataset.walk)));
  });
}

async function copyLine(text) {
  $('#n-line').textContent = text;
  try {
    await navigator.clipboard.writeText(text);
    $('#n-said').textContent = 'copied';
  } catch {
    getSelection().selectAllChildren($('#n-line'));
    $('#n-said').textContent = 'selected: copy it';
  }
}

async function walkNetwork(walk) {
  chooseSettingOf(walk);
  await pickNetwork(walk.network);
  $('#walk').scrollIntoView();
  $('#w-next').focus({ preventScroll: true });
}
