// The page's data: parts that lie behind one another, each deflated, all in base64. See report/src/packed.rs.

const byId = id => document.getElementById(id);

const parts = new Map();

function readParts() {
  const text = byId('data').textContent;
  let bytes;
  if (Uint8Array.fromBase64) {
    bytes = Uint8Array.fromBase64(text);
  } else {
    const raw = atob(text);
    bytes = new Uint8Array(raw.length);
    for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at);
  }
  let at = 0;
  for (const line of byId('parts').textContent.split('\n')) {
    const [name, deflated, size] = line.split(' ');
    parts.set(name, { bytes: bytes.subarray(at, at + Number(deflated)), size: Number(size) });
    at += Number(deflated);
  }
  // The text is as large as the data once more.
  byId('data').textContent = '';
}

async function part(name) {
  const { bytes, size } = parts.get(name);
  parts.delete(name);
  const out = new Uint8Array(size);
  const stream = new DecompressionStream('deflate-raw');
  const writer = stream.writable.getWriter();
  const written = writer.write(bytes).then(() => writer.close());
  const reader = stream.readable.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    out.set(value, at);
    at += value.length;
  }
  await written;
  return { bytes: out, at: 0 };
}

const unzigzag = number => (number % 2 ? -(number + 1) / 2 : number / 2);

// The next numbers of a part, as an array of this kind.
function numbers(from, Kind) {
  const { bytes } = from;
  const mode = bytes[from.at], planes = bytes[from.at + 1];
  const count = new DataView(bytes.buffer).getUint32(from.at + 2, true);
  from.at += 6;
  if (mode === 2) {
    const list = numbers(from, Float64Array), codes = numbers(from, Uint32Array);
    const out = new Kind(count);
    for (let at = 0; at < count; at++) out[at] = list[codes[at]];
    return out;
  }
  const wide = mode === 1 ? new Float64Array(count) : new Kind(count);
  let start = from.at;
  for (let plane = 0, weight = 1; plane < planes; plane++, weight *= 256, start += count) {
    for (let at = 0; at < count; at++) wide[at] += bytes[start + at] * weight;
  }
  from.at = start;
  if (mode !== 1) return wide;
  const out = new Kind(count);
  let before = 0;
  for (let at = 0; at < count; at++) {
    before += unzigzag(wide[at]);
    out[at] = before;
  }
  return out;
}

// What there is of events.
const page = { count: 0, meta: null, time: null, task: null, event: null, ret: null, ordinal: null, tasks: null,
  huge: new Map(), texts: null, remarked: null, args: [], users: new Map() };

async function readEvents() {
  const [meta, time, task, event, ret, tasks] =
    await Promise.all(['meta', 'time', 'task', 'event', 'ret', 'tasks'].map(part));
  page.meta = JSON.parse(new TextDecoder().decode(meta.bytes));
  page.count = page.meta.count;
  page.time = numbers(time, Float64Array);
  page.task = numbers(task, Uint32Array);
  page.event = numbers(event, Uint16Array);
  page.ret = numbers(ret, Float64Array);
  for (let at = 0; at < page.count; at++) page.ret[at] = unzigzag(page.ret[at]);
  page.huge = new Map(page.meta.huge);
  const column = () => numbers(tasks, Uint32Array);
  page.tasks = { pid: column(), tid: column(), ppid: column(), uid: column(), comm: column(), exe: column(),
    process: column(), host: column(), container: column(), boot: column() };
  for (const [boot, uid, name] of page.meta.users) page.users.set(`${boot} ${uid}`, name);
  // Which of the rows of its event a row is.
  const seen = new Uint32Array(page.meta.events.length);
  page.ordinal = new Uint32Array(page.count);
  for (let at = 0; at < page.count; at++) page.ordinal[at] = seen[page.event[at]]++;
}

// Reads texts and arguments, which the first look does without.
async function readArguments() {
  const texts = await part('texts');
  page.texts = new TextDecoder().decode(texts.bytes).split('\n');
  // Which of them have a remark, so that a filter need not look for one in each.
  page.remarked = new Uint8Array(page.texts.length);
  for (let at = 0, text = 0; at < texts.bytes.length; at++) {
    if (texts.bytes[at] === 10) text++;
    else if (texts.bytes[at] === 1) page.remarked[text] = 1;
  }
  for (let event = 0; event < page.meta.events.length; event++) {
    const columns = page.meta.events[event].columns;
    page.args[event] = [];
    if (!columns.length) continue;
    const from = await part(`args:${event}`);
    for (let at = 0; at < columns.length; at++) page.args[event].push(numbers(from, Uint32Array));
  }
}

// The text of a column of a row, or undefined where it has none: 0 is what is missing.
function textOf(row, column) {
  const codes = page.args[page.event[row]];
  const code = codes && codes[column] ? codes[column][page.ordinal[row]] : 0;
  return code ? page.texts[code - 1] : undefined;
}
