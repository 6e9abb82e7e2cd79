// Events over time: all of them, and those that match. Colours are those of the style.

const timeline = { buckets: 0, all: null, span: 1 };

function countBuckets(buckets, rows) {
  const counts = new Uint32Array(buckets);
  const { time } = page, { span } = timeline;
  const length = rows ? rows.length : page.count;
  for (let at = 0; at < length; at++) counts[Math.min(buckets - 1, Math.floor(time[rows ? rows[at] : at] / span * buckets))]++;
  return counts;
}

function beginTimeline() {
  let last = 0;
  for (let row = 0; row < page.count; row++) if (page.time[row] > last) last = page.time[row];
  timeline.span = last + 1;
}

const bucketsOf = canvas => Math.max(1, Math.floor((canvas.clientWidth || 600) / 3));

function drawTimeline() {
  const canvas = byId('histogram');
  const scale = window.devicePixelRatio || 1;
  const width = canvas.clientWidth || 600, height = 120;
  canvas.width = width * scale;
  canvas.height = height * scale;
  const matched = view.sums.buckets, buckets = matched.length;
  if (timeline.buckets !== buckets) timeline.all = countBuckets(buckets);
  timeline.buckets = buckets;
  const style = getComputedStyle(document.documentElement);
  const colour = name => style.getPropertyValue(name).trim();
  const draw = canvas.getContext('2d');
  draw.scale(scale, scale);
  draw.clearRect(0, 0, width, height);
  const most = timeline.all.reduce((a, b) => Math.max(a, b), 1);
  // Few stand beside many: the root shows both.
  const tall = count => count ? Math.max(1, Math.sqrt(count / most) * (height - 18)) : 0;
  for (const [counts, name] of [[timeline.all, '--total'], [matched, '--matched']]) {
    draw.fillStyle = colour(name);
    for (let at = 0; at < buckets; at++) {
      const bar = tall(counts[at]);
      draw.fillRect(at / buckets * width, height - 16 - bar, Math.max(1, width / buckets - 1), bar);
    }
  }
  const { from, to } = view;
  if (from > 0 || to < timeline.span) {
    draw.fillStyle = colour('--shade');
    draw.fillRect(0, 0, from / timeline.span * width, height - 16);
    draw.fillRect(to / timeline.span * width, 0, width, height - 16);
  }
  draw.fillStyle = colour('--quiet');
  draw.font = '11px system-ui, sans-serif';
  draw.textBaseline = 'bottom';
  if (!page.count) return;
  const left = clock(page.meta.first, hasDates), right = clock(page.meta.first + timeline.span - 1, hasDates);
  draw.fillText(left, 0, height);
  draw.textAlign = 'right';
  draw.fillText(right, width, height);
}

// The text alternative: twenty stretches with their numbers.
function tableTimeline(rows) {
  if (!byId('histogram-table').closest('details').open) return;
  const body = byId('histogram-table').tBodies[0];
  const buckets = Math.min(20, Math.max(1, page.count));
  const all = countBuckets(buckets), matched = countBuckets(buckets, rows);
  body.replaceChildren(...Array.from(all, (count, at) => {
    const line = element('tr');
    const from = element('th', clock(page.meta.first + Math.floor(at / buckets * timeline.span), hasDates));
    from.scope = 'row';
    line.append(from, element('td', grouped(count), 'n'), element('td', grouped(matched[at]), 'n'));
    return line;
  }));
}

function listenTimeline() {
  const canvas = byId('histogram'), from = byId('from'), to = byId('to');
  const at = event => {
    const box = canvas.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * timeline.span;
  };
  let begun = null;
  canvas.addEventListener('pointerdown', event => {
    begun = at(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener('pointermove', event => {
    if (begun === null) return;
    const now = at(event);
    view.from = Math.min(begun, now);
    view.to = Math.max(begun, now);
    drawTimeline();
  });
  canvas.addEventListener('pointerup', event => {
    if (begun === null) return;
    // A click is no stretch: it takes a stretch away.
    const isClick = Math.abs(at(event) - begun) < timeline.span / 300;
    begun = null;
    choose(isClick ? 0 : view.from, isClick ? timeline.span : view.to);
  });
  from.addEventListener('change', () => choose(from.value / 1000 * timeline.span, Math.max(from.value, to.value) / 1000 * timeline.span));
  to.addEventListener('change', () => choose(Math.min(from.value, to.value) / 1000 * timeline.span, to.value / 1000 * timeline.span));
  byId('histogram-table').closest('details').addEventListener('toggle', () => tableTimeline(view.rows));
  byId('whole').addEventListener('click', () => choose(0, timeline.span));
}

function choose(from, to) {
  view.from = from;
  view.to = to;
  byId('from').value = Math.round(from / timeline.span * 1000);
  byId('to').value = Math.round(to / timeline.span * 1000);
  refresh();
}

function sayRange() {
  const said = at => page.count ? clock(page.meta.first + Math.floor(at), hasDates) : '-';
  for (const [id, at] of [['from', view.from], ['to', view.to]]) byId(id).setAttribute('aria-valuetext', said(at));
  byId('range-said').textContent = `${said(view.from)} to ${said(view.to)}`;
}
