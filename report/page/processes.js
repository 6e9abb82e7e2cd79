// The tree of processes. Rows that are folded away are not there at all.

const tree = { open: null, parents: null, children: null, shown: 200, matched: null };

const DEPTH = 0, PID = 1, NAME = 2, COMMAND = 3, USER = 4, START = 5, LASTED = 6, EXIT = 7, CONTAINER = 8, HOST = 9, EVENTS = 10,
  FAILED = 11;

function beginTree() {
  const { processes } = page.meta;
  tree.open = new Uint8Array(processes.length);
  tree.children = new Uint32Array(processes.length);
  tree.parents = new Int32Array(processes.length).fill(-1);
  const above = [];
  processes.forEach((process, at) => {
    above.length = process[DEPTH];
    if (above.length) {
      tree.parents[at] = above[above.length - 1];
      tree.children[tree.parents[at]]++;
    }
    above.push(at);
  });
  // As much as is looked through at once: the rest is unfolded by hand.
  foldAll(processes.length <= 60);
}

function foldAll(isOpen) {
  page.meta.processes.forEach((process, at) => { tree.open[at] = isOpen || (process[DEPTH] < 1 && tree.children[at] < 60) ? 1 : 0; });
}

const isShown = at => {
  for (let above = tree.parents[at]; above >= 0; above = tree.parents[above]) if (!tree.open[above]) return false;
  return true;
};

function countTree({ byTask }) {
  tree.matched = new Uint32Array(page.meta.processes.length);
  byTask.forEach((count, task) => {
    const process = page.tasks.process[task];
    if (process) tree.matched[process - 1] += count;
  });
}

function drawTree() {
  const body = byId('tree').tBodies[0];
  const lines = [];
  let more = 0;
  page.meta.processes.forEach((process, at) => {
    if (!isShown(at)) return;
    if (lines.length < tree.shown) lines.push(treeLine(process, at));
    else more++;
  });
  body.replaceChildren(...lines);
  byId('tree-more').hidden = !more;
  byId('tree-more').firstElementChild.textContent = `Show more of ${plural(more, 'process')}${more === 1 ? '' : 'es'}`;
}

function treeLine(process, at) {
  const line = element('tr', undefined, tree.matched[at] ? undefined : 'unmatched');
  const name = element('th');
  name.scope = 'row';
  const box = element('div', undefined, 'branch');
  box.style.paddingInlineStart = `${Math.min(process[DEPTH], 30) * 14}px`;
  if (tree.children[at]) {
    const fold = element('button', tree.open[at] ? '▾' : '▸', 'fold');
    fold.type = 'button';
    fold.setAttribute('aria-expanded', tree.open[at] ? 'true' : 'false');
    fold.setAttribute('aria-label', `Children of ${process[NAME] || 'process'} ${process[PID]}`);
    fold.dataset.process = at;
    box.append(fold);
  } else {
    box.append(element('span', '', 'fold'));
  }
  box.append(element('span', String(process[PID]), 'pid'), element('span', shownText(process[COMMAND]) || '?', 'command'));
  name.append(box);
  line.append(name, element('td', process[HOST] ? `${process[USER]}@${process[HOST]}` : process[USER]),
    element('td', process[START] === null ? '?' : clockOfDay(process[START])), element('td', process[LASTED] ?? '-', 'n'),
    element('td', process[EXIT]), element('td', grouped(process[EVENTS]), 'n'), element('td', grouped(tree.matched[at]), 'n'),
    element('td', grouped(process[FAILED]), 'n'), element('td', process[CONTAINER]));
  return line;
}

function listenTree() {
  byId('tree').addEventListener('click', event => {
    const fold = event.target.closest('button[data-process]');
    if (!fold) return;
    const at = Number(fold.dataset.process);
    tree.open[at] = tree.open[at] ? 0 : 1;
    drawTree();
    byId('tree').querySelector(`button[data-process="${at}"]`)?.focus();
  });
  byId('unfold').addEventListener('click', () => { foldAll(true); drawTree(); });
  byId('fold').addEventListener('click', () => { tree.open.fill(0); drawTree(); });
  byId('tree-more').firstElementChild.addEventListener('click', () => { tree.shown += 500; drawTree(); });
}
