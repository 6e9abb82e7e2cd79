// The language of filters, as far as the page answers it: from text to filters. See docs/filters.md.

class Wrong extends Error {}

// Bytes in the form that the page's texts have: see report/src/spelled.rs.
function spelled(bytes) {
  let text;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch {
    return bytes.map(byte => byte >= 0x80 || byte < 0x20 ? `\\x${padded(byte.toString(16), 2)}` :
      byte === 0x5c ? '\\\\' : String.fromCharCode(byte)).join('');
  }
  const hex = char => [...new TextEncoder().encode(char)].map(byte => `\\x${padded(byte.toString(16), 2)}`).join('');
  return [...text].map(char => char === '\\' ? '\\\\' : /[\p{C}\p{Zl}\p{Zp}]/u.test(char) ? hex(char) : char).join('');
}

// What stands between wildcards.
function pattern(text) {
  const pieces = [[]];
  let wild = false;
  for (let at = 0; at < text.length;) {
    const char = String.fromCodePoint(text.codePointAt(at));
    let width = char.length, bytes;
    if (char === '*') {
      if (!wild) pieces.push([]);
      wild = true;
      at += width;
      continue;
    }
    const byte = char === '\\' && /^x[0-9a-fA-F]{2}/.exec(text.slice(at + 1));
    if (byte) {
      bytes = [parseInt(byte[0].slice(1), 16)];
      width = 4;
    } else if (char === '\\' && at + 1 < text.length && '*,=@\\'.includes(text[at + 1])) {
      bytes = [text.charCodeAt(at + 1)];
      width = 2;
    } else {
      bytes = [...new TextEncoder().encode(char)];
    }
    wild = false;
    pieces[pieces.length - 1].push(...bytes);
    at += width;
  }
  return pieces.map(spelled);
}

function matches(pieces, text) {
  if (pieces.length === 1) return text === pieces[0];
  const last = pieces[pieces.length - 1];
  if (!text.startsWith(pieces[0])) return false;
  let at = pieces[0].length;
  for (const piece of pieces.slice(1, -1)) {
    at = text.indexOf(piece, at);
    if (at < 0) return false;
    at += piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

// A number as filters write it, or undefined.
function number(text) {
  const found = /^(-?)(0x[0-9a-f_]+|0o[0-7_]+|0b[01_]+|[0-9][0-9_]*)$/i.exec(text);
  return found ? Number(found[2].replaceAll('_', '')) * (found[1] ? -1 : 1) : undefined;
}

// Filters are parted by blanks; what stands in double quotes is together.
function words(text) {
  const found = [];
  let word = '', quoted = false;
  for (const char of text) {
    if (char === '"') quoted = !quoted;
    else if (/\s/.test(char) && !quoted) {
      if (word) found.push(word);
      word = '';
    } else word += char;
  }
  if (quoted) throw new Wrong('a double quote is open; close it with another one');
  if (word) found.push(word);
  return found;
}

const SHAPE = '[N:]KEY, [N:]!KEY or [N:]KEY OP VALUE[,VALUE...]';

// [N:][!]KEY[OP VALUE[,VALUE...]]
function filter(word) {
  const operator = /=|!=|<=?|>=?/.exec(word);
  let head = operator ? word.slice(0, operator.index) : word;
  let scope = 1;
  const colon = head.indexOf(':');
  if (colon >= 0) {
    scope = /^[0-9]+$/.test(head.slice(0, colon)) ? Number(head.slice(0, colon)) : 0;
    if (scope < 1 || scope > 64) throw new Wrong(`${word}: a scope is a number from 1 to 64`);
    head = head.slice(colon + 1);
  }
  const isDenied = head.startsWith('!');
  const key = isDenied ? head.slice(1) : head;
  if (!key) throw new Wrong(`${word}: a filter without a key; filters are ${SHAPE}`);
  if (!operator) return { word, scope, key, op: isDenied ? '!' : '', values: [] };
  if (isDenied) throw new Wrong(`${word}: "!" before a key that has an operator: KEY!=VALUE`);
  const wrong = /^(==|=<|=>|<>|><|<<|>>|!==|<==|>==)/.exec(word.slice(operator.index));
  if (wrong) throw new Wrong(`${word}: "${wrong[1]}" is no operator; there are = != < > <= >= (a value that begins so: \\=)`);
  const values = [''];
  const rest = word.slice(operator.index + operator[0].length);
  for (let at = 0; at < rest.length; at++) {
    if (rest[at] === '\\' && at + 1 < rest.length) values[values.length - 1] += rest[at] + rest[++at];
    else if (rest[at] === ',') values.push('');
    else values[values.length - 1] += rest[at];
  }
  if (values.includes('')) throw new Wrong(`${word}: ${rest ? 'an empty value' : 'an operator without a value'}`);
  if (values.some(value => value.startsWith('@'))) throw elsewhere(word, 'lists of values');
  return { word, scope, key, op: operator[0], values };
}

const elsewhere = (word, what) =>
  new Wrong(`${word}: ${what} cannot be asked in this page; tracer replay --count -f '${word}' answers it`);

const filters = text => words(text).map(filter);
