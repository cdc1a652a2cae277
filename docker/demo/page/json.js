import { el } from './dom.js'

/** A piece of JSON as lines for people. `differs(path)`: top-level fields that were changed on the way are marked. */
export function jsonBlock(value, label, differs = () => false) {
  const code = el('code')
  write(code, value, '', '', differs)
  // A box that scrolls must be reachable by keyboard.
  return el('pre', { tabindex: '0', role: 'group', 'aria-label': label }, code)
}

function write(out, value, indent, path, differs) {
  if (Array.isArray(value) || (typeof value === 'object' && value !== null)) {
    const many = Array.isArray(value)
    const items = Object.entries(value)
    if (items.length === 0) return void out.append(many ? '[]' : '{}')
    out.append(many ? '[\n' : '{\n')
    items.forEach(([key, item], i) => {
      const at = path === '' ? key : `${path}.${key}`
      const changed = differs(at)
      const line = changed ? el('mark') : out
      line.append(`${indent}  `)
      if (!many) line.append(el('span', { class: 'k' }, JSON.stringify(key)), ': ')
      write(line, item, `${indent}  `, at, changed ? () => false : differs)
      line.append(i < items.length - 1 ? ',' : '')
      if (changed) out.append(line)
      out.append('\n')
    })
    out.append(`${indent}${many ? ']' : '}'}`)
    return
  }
  const kind = typeof value === 'string' ? 's' : 'n'
  out.append(el('span', { class: kind }, JSON.stringify(value)))
}

/** Whether two values are the same as JSON. */
export const same = (a, b) => JSON.stringify(a) === JSON.stringify(b)
