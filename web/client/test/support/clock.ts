/** Time that stands still until the test moves it, and everything that was promised meanwhile. */
import { mock, type TestContext } from 'node:test'

/** Lets everything that is due now happen; timers of the test's own clock stay where they are. */
export const settle = async (): Promise<void> => {
  for (let turns = 0; turns < 20; turns++) await new Promise(resolve => setImmediate(resolve))
}

/** `pass` moves the clock in small steps, so that what a timer starts has its own timers run as well. */
export const stopClock = (t: TestContext): { pass: (ms: number) => Promise<void> } => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] })
  t.after(() => mock.timers.reset())
  return {
    pass: async ms => {
      for (let left = ms; left > 0; left -= 50) {
        mock.timers.tick(Math.min(50, left))
        for (let turns = 0; turns < 6; turns++) await new Promise(resolve => setImmediate(resolve))
      }
      await settle()
    }
  }
}
