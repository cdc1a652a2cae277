import { el } from './dom.js'

const isTree = value => typeof value === 'object' && value !== null
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)

/** A piece of JSON as lines for people. What differs from `reference`, where one is given, is marked. */
export function jsonBlock(value, label, reference = value) {
  const code = el('code')
  write(code, value, '', reference)
  // A box that scrolls must be reachable by keyboard.
  return el('pre', { tabindex: '0', role: 'group', 'aria-label': label }, code)
}

function write(out, value, indent, reference) {
  if (!isTree(value)) {
    out.append(el('span', { class: typeof value === 'string' ? 's' : 'n' }, JSON.stringify(value)))
    return
  }
  const many = Array.isArray(value)
  const items = Object.entries(value)
  if (items.length === 0) return void out.append(many ? '[]' : '{}')
  out.append(many ? '[\n' : '{\n')
  items.forEach(([key, item], i) => {
    const before = reference?.[key]
    const marked = differs(item, before)
    const line = marked ? el('mark') : el('span')
    line.append(`${indent}  `)
    if (!many) line.append(el('span', { class: 'k' }, JSON.stringify(key)), ': ')
    write(line, item, `${indent}  `, marked ? item : before)
    line.append(i < items.length - 1 ? ',' : '')
    out.append(line, '\n')
  })
  out.append(`${indent}${many ? ']' : '}'}`)
}

/** Whether it is to be marked as a whole: of two trees, only what differs within them is. */
const differs = (now, before) => !same(now, before) && !(isTree(now) && isTree(before))

/** What was written into `before` and what was left out of it, as dotted paths. */
export function compare(now, before, path = '') {
  const written = []
  const left = []
  for (const key of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const at = path + key
    if (!(key in now)) left.push(at)
    else if (differs(now[key], before[key])) written.push(at)
    else if (isTree(now[key])) {
      const inner = compare(now[key], before[key], `${at}.`)
      written.push(...inner.written)
      left.push(...inner.left)
    }
  }
  return { written, left }
}
