import { type TOptional, type TUnsafe, Type } from 'typebox'
import type { Form } from './forms.js'

/** What the schema says of a variable beside its form, its default and its meaning. */
export interface Facts {
  /** Never shown; can be given as a file. */
  secret?: true
  /** Can be given as a file (`X_FILE`), whether secret or not. */
  file?: true
  /** Set by whoever runs the program: there is no value that suits everybody. */
  mandatory?: true
  /** What it is where it is not set, for people: the value comes from other variables. */
  otherwise?: string
  /** Used with one value of another variable alone; set without it, it is warned about. */
  when?: readonly [variable: string, ...values: string[]]
}

/** A variable as the schema holds it. `default` is text as somebody would write it, read like any other text. */
export interface Variable extends Facts {
  form: Form
  description: string
  default?: string
}

/** Annotations of the schema which Ajv must take without a meaning. */
export const ANNOTATIONS = ['secret', 'file', 'mandatory', 'otherwise', 'when']

/** A variable with a default, or one that is always there in another way (`mandatory`, `otherwise`). */
export function always<T>(
  form: Form<T>,
  preset: string | undefined,
  description: string,
  facts: Facts = {}
): TUnsafe<T> {
  return Type.Unsafe<T>(variable(form, preset, description, facts))
}

/** A variable that may be undefined. */
export function maybe<T>(form: Form<T>, description: string, facts: Facts = {}): TOptional<TUnsafe<T>> {
  return Type.Optional(Type.Unsafe<T>(variable(form, undefined, description, facts)))
}

function variable(form: Form, preset: string | undefined, description: string, facts: Facts): Variable {
  return { form, description, ...(preset !== undefined && { default: preset }), ...facts }
}
