// From filters to the rows that match.

const KEYS = { event: 'event', comm: 'comm', binary: 'binary', bin: 'binary', executable: 'binary', exec: 'binary',
  container: 'container', pid: 'pid', tid: 'tid', ppid: 'ppid', hostPid: 'pid', hostTid: 'tid', hostPpid: 'ppid', uid: 'uid',
  host: 'host' };
const ELSEWHERE = ['set', 'nsPid', 'nsTid', 'nsPpid', 'mntns', 'pidns', 'uts', 'tree', 'follow', 'global', 'not-container', 'cut',
  'unreadable', 'lost', 'partial', 'blocked', 'overlap', 'changed', 'uncompared', 'remembered', 'late', 'standIn', 'atEntry',
  'compat', 'noContext', 'file', 'peer'];
// Keys of which any beginning is enough, from one letter on.
const SHORT = ['event', 'set', 'container', 'pid', 'tid', 'uid', 'follow'];
const TEXTS = ['comm', 'binary', 'host', 'event'];

function keyOf({ key, word }) {
  if (KEYS[key]) return KEYS[key];
  if (ELSEWHERE.includes(key)) throw elsewhere(word, key);
  const short = SHORT.find(name => name.startsWith(key));
  if (short && KEYS[short]) return KEYS[short];
  if (short) throw elsewhere(word, short);
  throw new Wrong(`${word}: unknown filter key "${key}"; there are ${Object.keys(KEYS).join(', ')} and EVENT.ARGUMENT`);
}

// What several filters on one key come to: a value passes when it equals any of the values that are asked for or lies within all
// bounds (or none are), and equals none that is excluded. `test` says whether a value of a filter is met.
function gate(list, test) {
  const equal = list.filter(it => it.op === '='), not = list.filter(it => it.op === '!=');
  const bounds = list.filter(it => '<>'.includes(it.op[0] ?? ' '));
  const any = (filters, subject) => filters.some(it => it.tests.some(value => test(value, subject)));
  return subject => {
    if (any(not, subject)) return false;
    if (!equal.length && !bounds.length) return true;
    return any(equal, subject) || (bounds.length > 0 && bounds.every(it => compare(it, subject)));
  };
}

function compare({ op, tests: [{ number: bound }] }, { number: value }) {
  return op === '<' ? value < bound : op === '>' ? value > bound : op === '<=' ? value <= bound : value >= bound;
}

function prepared(filter, read) {
  return { ...filter, tests: filter.values.map(text => read(text, filter)) };
}

const asText = (text, { word }) => {
  const pieces = pattern(text);
  if (pieces.length > 1 && pieces.every(piece => !piece)) throw new Wrong(`${word}: a lone * filters nothing: leave it out`);
  return { pieces };
};
const testText = ({ pieces }, { text }) => matches(pieces, text);
const testNumber = ({ number: asked }, { number: value }) => asked === value;

function asNumber(text, { word }) {
  const found = number(text);
  if (found === undefined) throw /^(new|[0-9]+@.*)$/.test(text) ? elsewhere(word, text) : new Wrong(`${word}: ${text} is no number`);
  return { number: found };
}

// A function from a task to whether it passes, for one key.
function taskTest(key, list) {
  const { tasks, meta } = page;
  const text = of => {
    const pass = gate(list.map(it => prepared(it, asText)), testText);
    return cached(of, value => pass({ text: value }));
  };
  switch (key) {
    case 'comm': {
      const cut = (value, filter) => {
        const bytes = new TextEncoder().encode(value);
        return asText(bytes.length > 15 && /^[^\\*]*$/.test(value) ? new TextDecoder().decode(bytes.subarray(0, 15)) : value, filter);
      };
      const pass = gate(list.map(it => prepared(it, cut)), testText);
      return cached(task => nameOf(tasks.comm[task]), value => pass({ text: value }));
    }
    case 'binary': {
      const odd = list.find(it => it.values.some(value => /^(host|[0-9]+):/.test(value)));
      if (odd) throw elsewhere(odd.word, 'a mount namespace');
      const pass = text(task => nameOf(tasks.exe[task] - 1));
      // What could not be read is no path, and so neither this one nor another.
      return task => tasks.exe[task] > 0 && pass(task);
    }
    case 'host': {
      const pass = text(task => meta.hosts[tasks.host[task]]);
      return task => meta.hosts[tasks.host[task]] !== '' && pass(task);
    }
    case 'container': return containerTest(list);
    case 'uid': return uidTest(list);
    case 'pid': {
      const pass = gate(list.map(it => prepared(it, asNumber)),
        ({ number: asked }, { number: pid, tid }) => asked === pid || asked === tid);
      return task => pass({ number: tasks.pid[task], tid: tasks.tid[task] });
    }
    default: {
      const pass = gate(list.map(it => prepared(it, asNumber)), testNumber);
      return task => pass({ number: tasks[key][task] });
    }
  }
}

function cached(of, judge) {
  const known = new Map();
  return task => {
    const value = of(task);
    if (!known.has(value)) known.set(value, judge(value));
    return known.get(value);
  };
}

function uidTest(list) {
  const read = (text, { word }) => {
    const found = number(text);
    if (found !== undefined) return { uids: [found], number: found };
    const uids = page.meta.users.filter(([, , name]) => name === text).map(([, uid]) => uid);
    if (!uids.length) throw new Wrong(`${word}: no recorded host had a user ${text}`);
    return { uids, number: uids[0] };
  };
  const pass = gate(list.map(it => prepared(it, read)), ({ uids }, { number: uid }) => uids.includes(uid));
  return task => pass({ number: page.tasks.uid[task] });
}

function containerTest(list) {
  const odd = list.find(it => it.values.some(value => value === 'new' || value === 'started'));
  if (odd) throw elsewhere(odd.word, odd.values.join(','));
  const inside = list.some(it => it.op === ''), outside = list.some(it => it.op === '!');
  const valued = list.filter(it => it.values.length).map(it => prepared(it, asText));
  // An id's beginning is enough.
  const test = ({ pieces }, { id, name }) => (pieces.length === 1 ? id.startsWith(pieces[0]) : matches(pieces, id)) ||
    (name !== '' && matches(pieces, name));
  const pass = gate(valued, test);
  const nowhere = !valued.some(it => it.op === '=');
  return task => {
    const code = page.tasks.container[task];
    if (!code) return !inside && nowhere;
    const [id, name] = page.meta.containers[code - 1];
    return !outside && pass({ id, name });
  };
}

// A function from a row of an event to whether it passes.
function resultTest(list, event) {
  if (!event.call) throw new Wrong(`${list[0].word}: ${event.name} is no call and has no result`);
  const errors = Object.fromEntries(Object.entries(page.meta.errors).map(([value, name]) => [name, -Number(value)]));
  const read = (text, filter) => errors[text] !== undefined ? { number: errors[text] } : asNumber(text, filter);
  const pass = gate(list.map(it => prepared(it, read)), testNumber);
  return row => pass({ number: page.ret[row] });
}

function argumentTest(list, event, eventCode, name) {
  const [{ word }] = list;
  const at = event.columns.findIndex(([column]) => column === name);
  if (at < 0) {
    if (!event.args.includes(name)) throw new Wrong(`${word}: ${event.name} has no argument ${name}; there are ${event.args.join(', ')}`);
    throw elsewhere(word, `${name}, which is not in the page,`);
  }
  const kind = event.columns[at][1];
  if (kind === 'shown') throw elsewhere(word, `arguments such as ${name}`);
  const stands = kind === 'fd' ? event.columns.findIndex(([column, of]) => column === name && of === 'of') : -1;
  const read = (text, filter) => ({ ...asText(text, filter), number: number(text) });
  const asked = list.map(it => prepared(it, read));
  const isNumber = asked.every(it => it.tests.every(value => value.number !== undefined));
  if (asked.some(it => '<>'.includes(it.op[0])) && (!isNumber || kind === 'text'))
    throw new Wrong(`${word}: a text has no order: = and != only`);
  const value = code => {
    const text = page.texts[code];
    if (!page.remarked[code]) return text;
    if (text.includes(SHORTENED)) throw elsewhere(word, `${name}, of which the page has long values shortened,`);
    return withoutRemark(text);
  };
  const test = argumentValueTest(kind, word, name);
  const pass = gate(asked, test);
  const codes = page.args[eventCode];
  const judged = (code, other) => {
    const text = value(code - 1);
    if (kind === 'text') return pass({ text });
    return pass({ text, of: other ? value(other - 1) : undefined, number: text === 'AT_FDCWD' ? -100 : number(text) });
  };
  if (stands >= 0) {
    const known = new Map();
    return row => {
      const ordinal = page.ordinal[row], code = codes[at][ordinal];
      if (!code) return false;
      const key = code + codes[stands][ordinal] * 4294967296;
      let is = known.get(key);
      if (is === undefined) known.set(key, is = judged(code, codes[stands][ordinal]));
      return is;
    };
  }
  // By text: not asked yet, no, yes.
  const known = new Uint8Array(page.texts.length + 1);
  return row => {
    const code = codes[at][page.ordinal[row]];
    if (!code) return false;
    if (!known[code]) known[code] = judged(code, 0) ? 2 : 1;
    return known[code] === 2;
  };
}

function argumentValueTest(kind, word, name) {
  if (kind === 'text') return testText;
  if (kind === 'fd')
    return (asked, value) => asked.number !== undefined ? asked.number === value.number : matches(asked.pieces, value.of ?? value.text);
  return (asked, value) => {
    if (asked.number !== undefined) {
      if (value.number === undefined) throw elsewhere(word, `the number of ${name}, of which the page has names,`);
      return asked.number === value.number;
    }
    if (asked.pieces.length > 1) return matches(asked.pieces, value.text);
    // Names of flags, in any order.
    const sorted = text => text.split('|').sort().join('|');
    return sorted(asked.pieces[0]) === sorted(value.text);
  };
}

// What a scope asks, ready to be asked of rows.
function scopeTest(list) {
  const { events, names } = page.meta;
  let chosen = null;
  const choose = codes => (chosen ??= new Set(), codes.forEach(code => chosen.add(code)));
  const tasks = new Map(), rows = new Map(), excluded = new Set();
  for (const it of list) {
    const dot = it.key.indexOf('.');
    if (dot > 0) {
      const code = events.findIndex(event => event.name === it.key.slice(0, dot));
      choose(code < 0 ? [] : [code]);
      if (code < 0) continue;
      let rest = it.key.slice(dot + 1);
      if (!it.op || it.op === '!') throw elsewhere(it.word, 'marks');
      if (/^(context|scope)\./.test(rest)) throw elsewhere(it.word, 'the context of one event');
      if (!events[code].args.includes(rest)) rest = rest.replace(/^(args|data)\./, '');
      if (rest.includes('.')) throw elsewhere(it.word, 'a part of an argument');
      const of = rows.get(`${code} ${rest}`) ?? { code, rest, list: [] };
      of.list.push(it);
      rows.set(`${code} ${rest}`, of);
      continue;
    }
    const key = keyOf(it);
    if (key === 'event') {
      if (it.op !== '=' && it.op !== '!=') throw new Wrong(`${it.word}: event takes = and !=`);
      for (const value of it.values) {
        const pieces = pattern(value);
        const codes = events.flatMap((event, code) => (matches(pieces, event.name) ? [code] : []));
        if (it.op === '=') choose(codes);
        else codes.forEach(code => excluded.add(code));
      }
      continue;
    }
    if (!it.op && key !== 'container') throw new Wrong(`${it.word}: ${key} takes an operator and a value`);
    if (TEXTS.concat('container').includes(key) && '<>'.includes(it.op[0] ?? ' ')) throw new Wrong(`${it.word}: ${key} takes = and !=`);
    tasks.set(key, [...(tasks.get(key) ?? []), it]);
  }
  const eventMask = new Uint8Array(events.length);
  events.forEach((event, code) => { eventMask[code] = (chosen ? chosen.has(code) : !event.derived) && !excluded.has(code) ? 1 : 0; });
  const tests = [...tasks].map(([key, filters]) => taskTest(key, filters));
  const taskMask = new Uint8Array(page.tasks.pid.length);
  for (let task = 0; task < taskMask.length; task++) taskMask[task] = tests.every(test => test(task)) ? 1 : 0;
  const rowTests = [];
  for (const { code, rest, list: filters } of rows.values()) {
    const test = rest === 'retval' ? resultTest(filters, events[code]) : argumentTest(filters, events[code], code, rest);
    (rowTests[code] ??= []).push(test);
  }
  return { eventMask, taskMask, rowTests };
}

// The rows that a text of filters leaves, in this stretch of time (µs after the first event, both included).
function judge(text, from, to) {
  const list = filters(text);
  const byScope = new Map();
  list.forEach(it => byScope.set(it.scope, [...(byScope.get(it.scope) ?? []), it]));
  const scopes = [...byScope.values()].map(scopeTest);
  const { count, time } = page;
  const rows = new Uint32Array(count);
  let matched = 0;
  for (let row = 0; row < count; row++) if (time[row] >= from && time[row] <= to) rows[matched++] = row;
  if (!scopes.length) return rows.subarray(0, matched);
  // One scope writes its rows over those that it is asked of; of several, each row is asked until one has it.
  if (scopes.length === 1) return rows.subarray(0, ofScope(scopes[0], rows, matched));
  let left = 0;
  for (let at = 0; at < matched; at++) if (scopes.some(scope => passes(scope, rows[at]))) rows[left++] = rows[at];
  return rows.subarray(0, left);
}

function passes({ eventMask, taskMask, rowTests }, row) {
  const code = page.event[row];
  if (!eventMask[code] || !taskMask[page.task[row]]) return false;
  const tests = rowTests[code];
  return !tests || tests.every(test => test(row));
}

function ofScope({ eventMask, taskMask, rowTests }, rows, count) {
  const { event, task } = page;
  let left = 0;
  for (let at = 0; at < count; at++) {
    const row = rows[at];
    if (eventMask[event[row]] && taskMask[task[row]]) rows[left++] = row;
  }
  if (!rowTests.length) return left;
  const asked = left;
  left = 0;
  for (let at = 0; at < asked; at++) {
    const row = rows[at], tests = rowTests[event[row]];
    if (!tests || tests.every(test => test(row))) rows[left++] = row;
  }
  return left;
}

// Whether arguments must have been read for it.
const needsArguments = text => filters(text).some(it => it.key.includes('.') && !it.key.endsWith('.retval'));
