import type { LogtrailClient } from '../logtrail/client.js'

/** The client, with the limit that Logtrail's answers name (`X-RateLimit-Limit`, requests a minute) told in passing. */
export function observeLimit(client: LogtrailClient, onLimit: (limit: number) => void): LogtrailClient {
  let last: string | undefined
  const note = (limit: string | undefined): void => {
    if (limit === undefined || limit === last) return
    last = limit
    onLimit(Number(limit))
  }
  return {
    post(route, body, options) {
      const answer = client.post(route, body, options)
      answer.then(
        ({ headers }) => note(headers['x-ratelimit-limit']),
        () => {}
      )
      return answer
    },
    requestable: {
      request: (options, callback) =>
        client.requestable.request(options, (error, answer) => {
          note(answer?.headers['x-ratelimit-limit'])
          callback(error, answer)
        })
    },
    close: () => client.close()
  }
}
