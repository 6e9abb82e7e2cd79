// How times, numbers and rows are written. All texts go in as texts.

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

const grouped = number => number.toLocaleString('en-US');
const plural = (count, what) => `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;

const SHORTENED = '\u0001\u0002…';
const withoutRemark = text => {
  const at = text.indexOf('\u0001');
  return at < 0 ? text : text.slice(0, at);
};
const shownText = text => text.replace(/[\u0001\u0002]/g, '');

function offsetAt(second) {
  let offset = 0;
  for (const [from, seconds] of page.meta.zone) if (second >= from || from === page.meta.zone[0][0]) offset = seconds;
  return offset;
}

const padded = (number, width) => String(number).padStart(width, '0');

// µs since the epoch as `20:09:15:041923`, with the date before it where it is asked for.
function clock(micros, hasDate) {
  const second = Math.floor(micros / 1e6);
  const date = new Date((second + offsetAt(second)) * 1000);
  const time = `${padded(date.getUTCHours(), 2)}:${padded(date.getUTCMinutes(), 2)}:${padded(date.getUTCSeconds(), 2)}` +
    `:${padded(micros - second * 1e6, 6)}`;
  return hasDate ? `${date.getUTCFullYear()}-${padded(date.getUTCMonth() + 1, 2)}-${padded(date.getUTCDate(), 2)} ${time}` : time;
}

const timeOf = row => page.meta.first + page.time[row];

// The same, with the date where it is another day than that of all events.
function clockOfDay(micros) {
  const time = clock(micros, true);
  return !hasDates && time.startsWith(clock(page.meta.first, true).slice(0, 11)) ? time.slice(11) : time;
}

let hasDates = false;
function learnDates() {
  if (!page.count) return;
  const day = micros => clock(micros, true).slice(0, 10);
  hasDates = day(timeOf(0)) !== day(timeOf(page.count - 1));
  byId('rows').classList.toggle('dates', hasDates);
}

const nameOf = code => page.meta.names[code];
const userOf = task => page.users.get(`${page.tasks.boot[task]} ${page.tasks.uid[task]}`) ?? String(page.tasks.uid[task]);

function resultOf(row) {
  if (!page.meta.events[page.event[row]].call) return '';
  const ret = page.ret[row];
  const text = page.huge.get(row) ?? String(ret);
  const error = page.meta.errors[String(-ret)];
  return ret < 0 && error ? `${text} ${error}` : text;
}

// Names and values of a row's arguments that are in the page.
function argumentsOf(row) {
  const { columns } = page.meta.events[page.event[row]];
  const list = [];
  columns.forEach(([name, kind], at) => {
    const text = textOf(row, at);
    if (text === undefined) return;
    const last = list[list.length - 1];
    if (kind === 'of' && last && last[0] === name) last[1] += `=${shownText(text)}`;
    else list.push([name, shownText(text)]);
  });
  return list;
}

const lineOf = row => argumentsOf(row).map(([name, text]) => `${name}: ${text}`).join(', ');
