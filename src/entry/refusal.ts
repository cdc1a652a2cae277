import { type Fault, HttpError, type HttpErrorOptions } from '../errors.js'

/** A request refused for what its body says, with how many entries it held: the books count them received and rejected. */
export class RefusedEntries extends HttpError {
  /** Entries the body held; 0 where that could not be known. */
  readonly received: number

  constructor(code: RefusalCode, received: number, options: HttpErrorOptions = {}) {
    super(code, options)
    this.received = received
  }
}

export type RefusalCode =
  | 'VALIDATION_EMPTY_BODY'
  | 'VALIDATION_INVALID_JSON'
  | 'VALIDATION_FAILED'
  | 'VALIDATION_INVALID_ENVIRONMENT'
  | 'VALIDATION_BULK_LIMIT_EXCEEDED'

/** Refuses a body that is no entry or no list of them. */
export function refuseBody(received: number, message: string): RefusedEntries {
  const fault: Fault = { log_index: null, field: 'body', message }
  return new RefusedEntries('VALIDATION_FAILED', received, { faults: [fault] })
}
