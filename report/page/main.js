// What belongs together: the filter, the stretch of time, and all that is drawn of what they leave.

const view = { rows: new Uint32Array(0), from: 0, to: Infinity, text: '', done: Promise.resolve(), turn: 0, sums: null, later: 0 };
let argumentsRead = null;
let leads = [];

function refresh() {
  view.done = judged();
  return view.done;
}

async function judged() {
  const turn = ++view.turn, text = byId('filter').value, said = byId('filter-said');
  try {
    if (needsArguments(text) && !page.texts) {
      said.textContent = 'Reading arguments…';
      await argumentsRead;
      if (turn !== view.turn) return;
    }
    const begun = performance.now();
    view.rows = judge(text, view.from, view.to);
    document.documentElement.dataset.judged = (performance.now() - begun).toFixed(1);
    view.text = text;
    byId('filter').removeAttribute('aria-invalid');
    document.body.classList.remove('stale');
    said.classList.remove('wrong');
    said.textContent = `${grouped(view.rows.length)} of ${plural(page.count, 'event')}` +
      (page.count < page.meta.total ? `; ${grouped(page.meta.total - page.count)} more are not in this page` : '');
    document.documentElement.dataset.matched = view.rows.length;
    draw();
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    // The last answer stays, and is seen to be that.
    byId('filter').setAttribute('aria-invalid', 'true');
    document.body.classList.add('stale');
    said.classList.add('wrong');
    said.textContent = `! ${error.message}`;
  }
}

// What is in sight at once, and the rest in the next frame.
function draw() {
  view.sums = summary(view.rows, bucketsOf(byId('histogram')));
  drawTimeline();
  sayRange();
  byId('events-said').textContent = view.rows.length ? `${plural(view.rows.length, 'event')}; choose one to see all of it.` : 'No event matches.';
  beginRows();
  drawDetail();
  cancelAnimationFrame(view.later);
  view.later = requestAnimationFrame(() => {
    countTree(view.sums);
    drawTree();
    drawTop(view.sums);
    tableTimeline(view.rows);
  });
}

const THEMES = [['', 'as the system'], ['dark', 'dark'], ['light', 'light']];
function nextTheme() {
  const root = document.documentElement;
  const now = THEMES.findIndex(([name]) => name === (root.dataset.theme ?? ''));
  const [name, said] = THEMES[(now + 1) % THEMES.length];
  if (name) root.dataset.theme = name;
  else delete root.dataset.theme;
  byId('theme').textContent = `Theme: ${said}`;
  drawTimeline();
}

// The next event that something leads to, or the one before.
function nextLead(step) {
  if (!leads.length) return;
  const now = list.chosen;
  const ahead = step > 0 ? leads.find(row => row > now) : leads.findLast(row => row < now);
  goToRow(ahead ?? leads[step > 0 ? 0 : leads.length - 1]);
  byId('events').scrollIntoView();
}

function listenKeys() {
  const sections = [...document.querySelectorAll('main > section')];
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const isTyping = event.target.matches('input[type=text]');
    if (event.key === 'Escape' && isTyping) {
      byId('filter').value = view.text;
      refresh();
      event.target.blur();
      return;
    }
    if (isTyping || byId('help').open) return;
    const chosen = list.chosen < 0 ? list.top - 1 : placeOf(list.chosen);
    const deeds = { '/': () => byId('filter').focus(), j: () => go(chosen + 1), k: () => go(chosen - 1), n: () => nextLead(1),
      N: () => nextLead(-1), t: nextTheme, '?': () => byId('help').showModal() };
    const section = /^[1-9]$/.test(event.key) ? sections[Number(event.key) - 1] : null;
    if (section) {
      section.scrollIntoView();
      const head = section.querySelector('h2');
      head.tabIndex = -1;
      head.focus({ preventScroll: true });
    } else if (deeds[event.key]) {
      deeds[event.key]();
    } else return;
    event.preventDefault();
  });
  document.addEventListener('click', event => {
    const lead = event.target.closest('a[data-row]');
    if (lead) goToRow(Number(lead.dataset.row));
  });
}

function readAddress() {
  const found = /^#f=(.*)$/.exec(location.hash);
  if (!found) return;
  try {
    byId('filter').value = decodeURIComponent(found[1]);
  } catch {
    byId('filter').value = found[1];
  }
}

async function main() {
  readParts();
  await readEvents();
  leads = [...new Set([...document.querySelectorAll('a[data-row]')].map(lead => Number(lead.dataset.row)))].sort((a, b) => a - b);
  document.querySelectorAll('.scripted, .tools').forEach(it => { it.hidden = false; });
  learnDates();
  beginTimeline();
  beginTree();
  view.to = timeline.span;
  listenTimeline();
  listenTree();
  listenRows();
  listenKeys();
  byId('filter').addEventListener('input', refresh);
  byId('clear').addEventListener('click', () => { byId('filter').value = ''; refresh(); });
  byId('theme').addEventListener('click', nextTheme);
  byId('keys').addEventListener('click', () => byId('help').showModal());
  let waiting = 0;
  window.addEventListener('resize', () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(draw);
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawTimeline());
  window.addEventListener('hashchange', () => { readAddress(); refresh(); });
  readAddress();
  // A filter of the address may ask for arguments, which are read behind the first look.
  const begin = byId('filter').value;
  if (begin && needsQuietly(begin)) byId('filter').value = '';
  await refresh();
  document.documentElement.dataset.drawn = performance.now().toFixed(0);
  argumentsRead = readArguments();
  await argumentsRead;
  byId('filter').value = byId('filter').value || begin;
  await refresh();
  document.documentElement.dataset.whole = performance.now().toFixed(0);
}

function needsQuietly(text) {
  try {
    return needsArguments(text);
  } catch {
    return false;
  }
}

main().catch(error => {
  const said = byId('failure');
  said.hidden = false;
  said.textContent = typeof DecompressionStream === 'undefined' ?
    'This browser cannot read the data of this page: it has no DecompressionStream, as browsers have since 2023.' :
    `The data of this page cannot be read: ${error.message}`;
});
