import { type Static, Type } from 'typebox'
import { entries } from './schema/entries.js'
import { delivery, logtrail } from './schema/logtrail.js'
import { limits, serving } from './schema/serving.js'
import { session } from './schema/session.js'
import type { Variable } from './variable.js'

/** The variables by the questions they answer, in the order people meet them. */
export const GROUPS = {
  Logtrail: logtrail,
  Sessions: session,
  Listeners: serving,
  Limits: limits,
  Delivery: delivery,
  Entries: entries
}

/**
 * The one schema. Types, defaults, faults, the README's table, `.env.example`, `logtrail-bff config`, its masks and the
 * check for unknown names are all derived from it.
 */
export const SCHEMA = Type.Object({ ...logtrail, ...session, ...serving, ...limits, ...delivery, ...entries })

export type Values = Static<typeof SCHEMA>
export type Name = keyof Values

export const NAMES = Object.keys(SCHEMA.properties) as Name[]

export function variable(name: Name): Variable {
  return SCHEMA.properties[name] as unknown as Variable
}

/** Whether the variable can be given as a file, by its name with `_FILE`. */
export function takesFile(name: Name): boolean {
  const { secret, file } = variable(name)
  return secret === true || file === true
}
