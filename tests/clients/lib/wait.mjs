/**
 * Waiting with a deadline: a test names what it waits for and goes on as soon as it is there.
 */

/** How long anything may take before the test fails. Generous, since a loaded machine is slow and a pass costs nothing. */
export const DEADLINE_MS = 20_000

/** How often a condition is looked at. */
const POLL_MS = 4

/** What a failing wait appends to its message; the server puts its log here. */
const witnesses = new Set()

/** Registers a function whose text helps to understand a wait that failed. Returns a function that removes it. */
export const addWitness = witness => {
  witnesses.add(witness)
  return () => witnesses.delete(witness)
}

export const testimony = () => Array.from(witnesses, witness => witness()).join('\n')

/**
 * Waits until `condition` returns (or resolves to) something truthy and returns that.
 *
 * @template T
 * @param {string} what completes the sentence "timed out waiting until …"
 * @param {() => T | Promise<T>} condition an exception counts as "not yet" and is reported at the deadline
 * @param {{deadline_ms?: number, detail?: () => unknown}} [options] `detail` is shown when the wait fails
 * @returns {Promise<T>}
 */
export const until = async (what, condition, { deadline_ms = DEADLINE_MS, detail } = {}) => {
  const end = performance.now() + deadline_ms
  let failure
  for (;;) {
    try {
      const value = await condition()
      if (value) return value
      failure = undefined
    } catch (error) {
      failure = error
    }
    if (performance.now() > end) {
      const parts = [`timed out after ${deadline_ms} ms waiting until ${what}`]
      if (failure !== undefined) parts.push(`the last look failed: ${failure.message}`)
      if (detail !== undefined) parts.push(JSON.stringify(detail()))
      parts.push(testimony())
      throw new Error(parts.join('\n'), { cause: failure })
    }
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

/**
 * Fails when `promise` does not settle in time.
 *
 * @template T
 * @param {string} what completes the sentence "timed out waiting until …"
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export const within = (what, promise, deadline_ms = DEADLINE_MS) => {
  let timer
  const deadline = new Promise((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`timed out after ${deadline_ms} ms waiting until ${what}\n${testimony()}`)),
      deadline_ms
    )
  })
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer))
}
