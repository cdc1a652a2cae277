/** An element: `el('p', {class: 'note'}, 'text', child)`. Text only ever becomes text nodes. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) element.addEventListener(key.slice(2), value)
    else if (value === true) element.setAttribute(key, '')
    else if (value !== false && value !== undefined) element.setAttribute(key, value)
  }
  element.append(...children.filter(child => child !== undefined && child !== null))
  return element
}

export const byId = id => document.getElementById(id)
