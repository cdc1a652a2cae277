const NS = 'http://www.w3.org/2000/svg'
const LEFT = 46,
  RIGHT = 6,
  TOP = 8,
  BOTTOM = 20,
  HEIGHT = 150

export function svg(name, attributes, ...children) {
  const node = document.createElementNS(NS, name)
  for (const key in attributes) node.setAttribute(key, attributes[key])
  node.append(...children)
  return node
}

/** The next of 1, 2, 2.5, 5 and their tenfolds: where an axis may end. */
function ceiling(value, least) {
  if (!(value > least)) return least
  const power = 10 ** Math.floor(Math.log10(value))
  for (const step of [1, 2, 2.5, 5, 10]) if (value <= step * power * 1.0001) return step * power
}

export function createPlot(host, options) {
  const { label, series, format, least = 1 } = options
  const values = new Map()
  const lines = new Map()
  const rows = new Map()
  const area = svg('path', { class: 'area' })
  const grid = svg('g')
  const cross = svg('line', { class: 'cross', y1: TOP, y2: HEIGHT - BOTTOM, visibility: 'hidden' })
  const empty = svg('text', { class: 'empty', visibility: 'hidden' })
  empty.textContent = 'nothing yet'
  const picture = svg('svg', { 'aria-hidden': 'true' }, grid, area)
  const legend = document.createElement('p')
  legend.className = 'legend'
  for (const { key, name, look } of series) {
    const line = svg('path', { class: `series ${look}` })
    lines.set(key, line)
    picture.append(line)
    const mark = svg(
      'svg',
      { viewBox: '0 0 24 8', 'aria-hidden': 'true' },
      svg('line', { class: look, x1: 1, x2: 23, y1: 4, y2: 4 })
    )
    const value = document.createElement('b')
    const row = document.createElement('span')
    row.append(mark, `${name} `, value)
    rows.set(key, value)
    legend.append(row)
  }
  picture.append(cross, empty)
  const when = document.createElement('span')
  when.className = 'when'
  legend.append(when)
  const reader = document.createElement('div')
  reader.className = 'reader'
  reader.tabIndex = 0
  reader.setAttribute('role', 'slider')
  reader.setAttribute('aria-label', `${label}, seconds ago`)
  reader.setAttribute('aria-orientation', 'horizontal')
  reader.append(picture)
  host.append(reader, legend)

  let width = 0
  let length = 0
  /** Seconds ago that are being read; null: the present. */
  let at = null

  const x = index => LEFT + (width - LEFT - RIGHT) * (index / Math.max(1, length - 1))

  function drawGrid(top) {
    grid.replaceChildren()
    for (const share of [0, 0.5, 1]) {
      const y = Math.round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)) + 0.5
      const text = svg('text', { x: LEFT - 6, y: y + 4, 'text-anchor': 'end' })
      text.textContent = format(top * share, true)
      grid.append(svg('line', { class: share ? 'grid' : 'grid base', x1: LEFT, x2: width - RIGHT, y1: y, y2: y }), text)
    }
    const minutes = length / 60
    for (let minute = minutes; minute >= 0; minute -= width < 420 ? minutes / 2 : 1) {
      const text = svg('text', {
        x: x(((minutes - minute) / minutes) * (length - 1)),
        y: HEIGHT - 4,
        'text-anchor': minute === minutes ? 'start' : minute ? 'middle' : 'end'
      })
      text.textContent = minute ? `−${minute} min` : 'now'
      grid.append(text)
    }
  }

  function read() {
    const index = length - 1 - (at ?? 0)
    const said = []
    for (const { key, name } of series) {
      const value = values.get(key)?.[index]
      const text = value == null ? '–' : format(value)
      rows.get(key).textContent = text
      said.push(`${name} ${value == null ? 'nothing' : text}`)
    }
    when.textContent = at == null ? '' : `${at} s ago`
    cross.setAttribute('visibility', at == null ? 'hidden' : 'visible')
    if (at != null) for (const end of ['x1', 'x2']) cross.setAttribute(end, x(index))
    reader.setAttribute('aria-valuemin', 0)
    reader.setAttribute('aria-valuemax', Math.max(0, length - 1))
    reader.setAttribute('aria-valuenow', at ?? 0)
    reader.setAttribute('aria-valuetext', (at ? `${at} seconds ago: ` : 'now: ') + said.join(', '))
  }

  function paint() {
    if (!width || !length) return
    picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`)
    let most = 0
    for (const list of values.values()) for (const value of list) if (value > most) most = value
    const top = ceiling(most, least)
    drawGrid(top)
    let any = false
    for (const { key } of series) {
      const list = values.get(key)
      let path = '',
        from = -1,
        filled = ''
      list.forEach((value, index) => {
        if (value == null) {
          if (from >= 0) filled += `V${HEIGHT - BOTTOM}H${x(from).toFixed(1)}Z`
          from = -1
          return
        }
        const point = `${x(index).toFixed(1)} ${(HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP)).toFixed(1)}`
        path += (from < 0 ? 'M' : 'L') + point
        filled += (from < 0 ? 'M' : 'L') + point
        // a single second between two that say nothing is a dot
        if (from < 0 && list[index + 1] == null) path += 'h.01'
        if (from < 0) from = index
        any = true
      })
      if (from >= 0) filled += `V${HEIGHT - BOTTOM}H${x(from).toFixed(1)}Z`
      lines.get(key).setAttribute('d', path)
      if (key === series[0].key && options.area) area.setAttribute('d', filled)
    }
    empty.setAttribute('x', (width + LEFT) / 2)
    empty.setAttribute('y', HEIGHT / 2)
    empty.setAttribute('visibility', any ? 'hidden' : 'visible')
    read()
  }

  function move(to) {
    at = to == null ? null : Math.min(length - 1, Math.max(0, to))
    read()
  }
  reader.addEventListener('keydown', event => {
    const steps = { ArrowLeft: 1, ArrowDown: 1, ArrowRight: -1, ArrowUp: -1, PageDown: 30, PageUp: -30 }
    if (event.key in steps) move((at ?? 0) + steps[event.key])
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(length - 1)
    else if (event.key === 'Escape') move(null)
    else return
    event.preventDefault()
  })
  reader.addEventListener('blur', () => move(null))
  reader.addEventListener('pointermove', event => {
    const share = (event.clientX - reader.getBoundingClientRect().left - LEFT) / (width - LEFT - RIGHT)
    move(Math.round((length - 1) * (1 - share)))
  })
  reader.addEventListener('pointerleave', () => move(null))
  new ResizeObserver(([entry]) => {
    width = Math.round(entry.contentRect.width)
    paint()
  }).observe(reader)

  return all => {
    for (const { key } of series) values.set(key, all[key])
    length = all[series[0].key].length
    paint()
  }
}
