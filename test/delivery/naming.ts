/**
 * How an upstream names the bad entries of a request that it refuses, given their indexes in it. Most of these are wrong in one
 * way or another: names too few, too many, or others.
 */
export type Naming = (bad: readonly number[], length: number, random: () => number) => readonly number[]

const indexes = (length: number) => Array.from({ length }, (_, index) => index)

export const namings: Record<string, Naming> = {
  none: () => [],
  true: bad => bad,
  'counted from 1': bad => bad.map(index => index + 1),
  'the first only': bad => bad.slice(0, 1),
  'the last only': bad => bad.slice(-1),
  'some of them': (bad, _, random) => bad.filter(() => random() < 0.5),
  'good ones too': (bad, length, random) => indexes(length).filter(index => bad.includes(index) || random() < 0.3),
  'some of them and good ones': (_, length, random) => indexes(length).filter(() => random() < 0.3),
  'good ones alone': (bad, length) => indexes(length).filter(index => !bad.includes(index)),
  all: (_, length) => indexes(length),
  'any one': (_, length, random) => [Math.floor(random() * length)],
  'always the first': () => [0],
  'out of range': (_, length) => [-1, 1.5, length, 5000]
}
