import { createLogger } from '/logtrail/client.js'

const output = document.querySelector('output')
const log = createLogger({
  onDrop: (_entry, reason, { status }) => {
    output.textContent = `The log was not taken: ${reason}${status ? ` (${status})` : ''}`
  }
})

document.querySelector('button').addEventListener('click', async () => {
  log.info('button.clicked', { message: 'somebody clicked' })
  output.textContent = 'Sending …'
  await log.flush()
  if (output.textContent === 'Sending …') output.textContent = 'The log is on its way.'
})
