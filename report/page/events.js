// The events: of the rows that match, those in sight are there.

const ROW = 26;
// Browsers end elements that are taller than some millions of pixels.
const TALLEST = 6e6;

const list = { top: 0, chosen: -1, drawn: 0, expected: -1 };

const room = () => Math.max(1, Math.floor((byId('rows').clientHeight - ROW) / ROW));
const highest = () => Math.max(0, view.rows.length - room());
const height = () => Math.min(view.rows.length * ROW, TALLEST);

function beginRows() {
  byId('rows-height').style.height = `${height() + ROW + 2}px`;
  list.top = Math.min(list.top, highest());
  place();
  drawRows();
}

// Puts the scroll bar where the rows are.
function place() {
  const box = byId('rows'), most = box.scrollHeight - box.clientHeight;
  const top = view.rows.length * ROW <= TALLEST ? list.top * ROW : highest() ? list.top / highest() * most : 0;
  list.expected = Math.round(Math.min(top, most));
  box.scrollTop = list.expected;
}

function drawRows() {
  const body = byId('rows-table').tBodies[0];
  const lines = [];
  const end = Math.min(view.rows.length, list.top + room() + 1);
  for (let at = list.top; at < end; at++) lines.push(rowLine(at));
  body.replaceChildren(...lines);
  byId('rows-table').setAttribute('aria-rowcount', view.rows.length + 1);
}

function rowLine(at) {
  const row = view.rows[at], task = page.task[row], event = page.meta.events[page.event[row]];
  const line = element('tr');
  line.setAttribute('aria-rowindex', at + 2);
  line.dataset.at = at;
  if (row === list.chosen) line.setAttribute('aria-current', 'true');
  const result = resultOf(row);
  line.append(element('td', clock(timeOf(row), hasDates), 'time'),
    element('td', `${nameOf(page.tasks.comm[task])} ${page.tasks.pid[task]}`, 'who'), element('td', userOf(task), 'wide'),
    element('td', event.name, 'event'), element('td', result, page.ret[row] < 0 && result ? 'n failed' : 'n'),
    element('td', page.texts ? lineOf(row) : '…', 'args'));
  return line;
}

// Goes to a place among the rows that match.
function go(at) {
  if (!view.rows.length) return;
  const to = Math.min(view.rows.length - 1, Math.max(0, at));
  list.chosen = view.rows[to];
  if (to < list.top) list.top = to;
  else if (to >= list.top + room()) list.top = to - room() + 1;
  place();
  drawRows();
  drawDetail();
}

// The place of the first row that is not before this one.
function placeOf(row) {
  let low = 0, high = view.rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.rows[middle] < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Goes to a row, and takes a filter away that hides it.
async function goToRow(row) {
  if (view.rows[placeOf(row)] !== row) {
    byId('filter').value = '';
    view.from = 0;
    view.to = timeline.span;
    choose(0, timeline.span);
    await view.done;
  }
  list.top = Math.max(0, Math.min(highest(), placeOf(row) - Math.floor(room() / 2)));
  go(placeOf(row));
}

function drawDetail() {
  const box = byId('detail'), row = list.chosen;
  box.hidden = row < 0;
  if (row < 0) return;
  const { tasks, meta } = page, task = page.task[row];
  const container = tasks.container[task] ? meta.containers[tasks.container[task] - 1] : null;
  const facts = [['Time', clock(timeOf(row), true)], ['Event', meta.events[page.event[row]].name], ['Result', resultOf(row)],
    ['Process', `${nameOf(tasks.comm[task])} ${tasks.pid[task]}`], ['Thread', String(tasks.tid[task])],
    ['Parent', String(tasks.ppid[task])], ['Program', tasks.exe[task] ? nameOf(tasks.exe[task] - 1) : '?'],
    ['User', `${userOf(task)} (${tasks.uid[task]})`], ['Host', meta.hosts[tasks.host[task]]],
    ['Container', container ? container.filter(Boolean).join(' ') : ''], ...(page.texts ? argumentsOf(row) : [])];
  box.querySelector('dl').replaceChildren(...facts.filter(([, text]) => text).map(([name, text]) => {
    const fact = element('div');
    fact.append(element('dt', name), element('dd', text));
    return fact;
  }));
}

function listenRows() {
  const box = byId('rows');
  box.addEventListener('scroll', () => {
    if (Math.abs(box.scrollTop - list.expected) < 2) return;
    list.expected = -1;
    const most = box.scrollHeight - box.clientHeight;
    list.top = view.rows.length * ROW <= TALLEST ? Math.round(box.scrollTop / ROW) : Math.round(box.scrollTop / most * highest());
    list.top = Math.max(0, Math.min(highest(), list.top));
    drawRows();
  }, { passive: true });
  box.addEventListener('click', event => {
    const line = event.target.closest('tr[data-at]');
    if (line) go(Number(line.dataset.at));
  });
  box.addEventListener('keydown', event => {
    const now = list.chosen < 0 ? list.top - 1 : placeOf(list.chosen);
    const to = { ArrowDown: now + 1, ArrowUp: now - 1, PageDown: now + room(), PageUp: now - room(), Home: 0, End: view.rows.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    go(to);
  });
}
