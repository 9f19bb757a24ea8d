/**
 * Which metrics an expression of Prometheus names, and with which labels.
 */

/** Words that stand where a metric could, and are none. */
const WORDS = new Set(['and', 'or', 'unless', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'offset', 'bool'])

/** Lists of labels after these words are no metrics. */
const LABEL_LISTS = /\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g

/** @returns {{name: string, labels: string[]}[]} */
export const metricsOf = expression => {
  const found = []
  const bare = expression.replace(LABEL_LISTS, ' ').replace(/\[[^\]]*\]/g, ' ')
  // Strings and numbers are passed over. A name that a parenthesis follows is a function.
  const tokens = /"[^"]*"|\b[0-9][0-9a-zA-Z_.]*|([a-zA-Z_:][a-zA-Z0-9_:]*)(?![a-zA-Z0-9_:]|\s*\()(?:\{((?:[^}"]|"[^"]*")*)\})?/g
  for (const [, name, labels = ''] of bare.matchAll(tokens)) {
    if (name === undefined || WORDS.has(name)) continue
    found.push({ name, labels: Array.from(labels.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)\s*"/g), ([, label]) => label) })
  }
  return found
}

/** What a page of metrics has: name of each series → names of its labels. */
export const seriesOf = page => {
  const series = new Map()
  for (const line of page.split('\n')) {
    const [, name, labels] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? /.exec(line) ?? []
    if (name === undefined) continue
    const known = series.get(name) ?? series.set(name, new Set()).get(name)
    for (const [, label] of (labels ?? '').matchAll(/([a-z_]+)="/g)) known.add(label)
  }
  return series
}
