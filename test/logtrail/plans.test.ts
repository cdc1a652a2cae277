import t from 'tap'
import { PLANS } from '../../src/logtrail/plans.js'

t.test("the plans are those of Logtrail's documentation", async t => {
  t.strictSame(
    Object.entries(PLANS).map(([name, plan]) => [name, ...Object.values(plan)]),
    [
      ['free', 700, 50, 3, 5, 120, 5_000],
      ['developer', 1024, 200, 4, 10, 300, 50_000],
      ['professional', 2048, 1000, 5, 20, 1000, 500_000]
    ]
  )
})
