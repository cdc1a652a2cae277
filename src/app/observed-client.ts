import type { AnswerHeaders } from '../logtrail/answer.js'
import type { LogtrailClient } from '../logtrail/client.js'

type Rates = Omit<AnswerHeaders, 'contentType' | 'retryAfter'>

/** The client, and what Logtrail's answers said in passing of its own bucket (`X-RateLimit-*`); undefined before they did. */
export interface ObservedClient {
  client: LogtrailClient
  /** Requests a minute. */
  limit(): number | undefined
  /** Requests left. Past the time that Logtrail named, or where it names none, all of them. */
  remaining(): number | undefined
}

export function observeRates(client: LogtrailClient, now = Date.now): ObservedClient {
  let told: Rates | undefined
  const note = (headers: Rates | undefined): void => {
    if (headers?.['x-ratelimit-limit'] !== undefined) told = headers
  }
  const limit = () => (told === undefined ? undefined : Number(told['x-ratelimit-limit']))
  return {
    client: {
      post(route, body, options) {
        const answer = client.post(route, body, options)
        answer.then(
          ({ headers }) => note(headers),
          () => {}
        )
        return answer
      },
      requestable: {
        request: (options, callback) =>
          client.requestable.request(options, (error, answer) => {
            note(answer?.body.headers)
            callback(error, answer)
          })
      },
      close: () => client.close()
    },
    limit,
    remaining() {
      const { 'x-ratelimit-remaining': left, 'x-ratelimit-reset': reset } = told ?? {}
      return left !== undefined && now() / 1000 < Number(reset) ? Number(left) : limit()
    }
  }
}
