/** What the server found of how a map hangs together. No DOM. */

export interface Coherence {
  /** 0 to 1. */
  readonly score: number
  readonly strengths: readonly string[]
  readonly improvements: readonly string[]
  readonly missing: readonly string[]
}

const textsOf = (value: unknown): string[] =>
  Array.isArray(value) ? [...new Set(value.filter((one): one is string => typeof one === 'string' && one.trim() !== ''))] : []

/** Null when it is none. */
export const coherenceOf = (result: unknown): Coherence | null => {
  const { coherence_score: score, strengths, improvements, missing_concepts: missing } = (result ?? {}) as Record<string, unknown>
  if (typeof score !== 'number') return null
  return { score: Math.min(Math.max(score, 0), 1), strengths: textsOf(strengths), improvements: textsOf(improvements), missing: textsOf(missing) }
}
