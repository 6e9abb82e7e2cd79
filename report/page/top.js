// The top tables, made anew for what the filter and the stretch of time leave.

const TOP = 15;
const kept = new Map();

function drawTop(sums) {
  const all = sums.rows === page.count;
  byId('top-said').textContent = all ? 'Over all events that were asked for.' :
    `Over ${plural(sums.rows, 'event')} that the filter and the stretch of time leave.`;
  const lists = all ? null : topLists(sums);
  for (const id of ['top-events', 'top-calls', 'top-errors', 'top-failing']) {
    const body = byId(id).querySelector('tbody');
    if (!kept.has(id)) kept.set(id, [...body.children]);
    if (!lists) {
      body.replaceChildren(...kept.get(id));
      continue;
    }
    const most = [...lists[id]].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, TOP);
    body.replaceChildren(...most.map(([name, count]) => {
      const line = element('tr'), head = element('th', name);
      head.scope = 'row';
      line.append(head, element('td', grouped(count), 'n'));
      return line;
    }));
  }
}

// How many of some rows there are by task, event, error and stretch of time, in one pass.
function summary(rows, buckets) {
  const { meta, tasks, task, event, ret, time } = page;
  const isCall = Uint8Array.from(meta.events, it => (it.call ? 1 : 0));
  const sums = { rows: rows.length, byTask: new Uint32Array(tasks.pid.length), byEvent: new Uint32Array(meta.events.length),
    failing: new Uint32Array(tasks.pid.length), byError: new Uint32Array(4096), buckets: new Uint32Array(buckets) };
  const { byTask, byEvent, failing, byError } = sums, scale = buckets / timeline.span;
  for (let at = 0; at < rows.length; at++) {
    const row = rows[at], code = event[row], who = task[row], result = ret[row];
    byTask[who]++;
    byEvent[code]++;
    sums.buckets[Math.floor(time[row] * scale)]++;
    if (result < 0 && isCall[code]) {
      failing[who]++;
      if (result > -4096) byError[-result]++;
    }
  }
  return sums;
}

function topLists({ byEvent, byError, failing }) {
  const { events, errors } = page.meta;
  const byProgram = new Map();
  failing.forEach((count, task) => {
    const exe = page.tasks.exe[task];
    if (count) byProgram.set(exe, (byProgram.get(exe) ?? 0) + count);
  });
  const named = (counts, name) => [...counts].filter(([, count]) => count).map(([key, count]) => [name(key), count]);
  return {
    'top-events': named(byEvent.entries(), code => events[code].name),
    'top-calls': named([...byEvent.entries()].filter(([code]) => events[code].call), code => events[code].name),
    'top-errors': named(byError.entries(), error => errors[String(error)] ?? String(-error)),
    'top-failing': named(byProgram, exe => (exe ? nameOf(exe - 1) : '') || '?'),
  };
}
