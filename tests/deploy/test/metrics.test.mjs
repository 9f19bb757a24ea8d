import assert from 'node:assert/strict'
import test from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { text, yaml } from '../lib/files.mjs'
import { metricsOf, seriesOf } from '../lib/promql.mjs'

const ALERTS = 'deploy/prometheus/alerts.yaml'
const DASHBOARD = 'deploy/grafana/synapti.json'

/** Made by Prometheus about each node that it asks. */
const OF_PROMETHEUS = ['up', 'scrape_duration_seconds']
/** Put on every series by Prometheus. */
const LABELS_OF_PROMETHEUS = ['job', 'instance']

const rules = yaml(ALERTS)[0].groups.flatMap(group => group.rules)
const dashboard = JSON.parse(text(DASHBOARD))

const { TEST_REDIS_URL: redis, TEST_POSTGRES_URL: postgres } = process.env
const hasBus = redis !== undefined && postgres !== undefined

/** What only a node with a bus measures; `make test` has one. */
const OF_THE_BUS = /^synapti_(bus_|store_catch_ups|breaker_state)/

/** A page of a node that has done a little of everything, so that what is measured by label shows. */
const page = async t => {
  const env = hasBus ? { SYNAPTI_REDIS_URL: redis, SYNAPTI_DATABASE_URL: postgres.replace(/[^/]+$/, 'synapti_deploy') } : {}
  const node = await Server.start(t, { env })
  assert.equal((await node.request('POST', '/v1/graphs', { id: 'measured', topic: 'x' })).status, 201)
  assert.equal((await node.request('GET', '/v1/graphs/measured')).status, 200)
  assert.equal((await node.request('GET', '/v1/graphs/nowhere')).status, 404)
  // A request is counted after it has been answered.
  return until('the requests are counted', async () => {
    const { text } = await node.request('GET', '/metrics')
    return /^api_request_duration_count\{.*status="404"/m.test(text) && text
  })
}

test('expressions are read as Prometheus reads them', () => {
  assert.deepEqual(metricsOf('sum by (job, le) (rate(a_b{x="1",y=~"2|{}"}[5m])) / on (job) group_left () c > 0.8 * 1e3'), [
    { name: 'a_b', labels: ['x', 'y'] }, { name: 'c', labels: [] }
  ])
  assert.deepEqual(Array.from(seriesOf('# TYPE a gauge\na{b="x",c="y"} 1\nd 2\n'), ([name, labels]) => [name, [...labels]]), [['a', ['b', 'c']], ['d', []]])
})

test('alerts and dashboard name metrics and labels that a node has', async t => {
  const series = seriesOf(await page(t))
  const expressions = [
    ...rules.map(({ alert, expr }) => [`the alert ${alert}`, expr]),
    ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [`the panel "${title}"`, expr])),
    ...dashboard.annotations.list.map(({ name, expr }) => [`the annotation "${name}"`, expr])
  ]
  const wrong = []
  for (const [where, expression] of expressions) {
    const named = metricsOf(expression.replaceAll('$__rate_interval', '1m'))
    assert.notEqual(named.length, 0, `${where} names no metric: ${expression}`)
    for (const { name, labels } of named) {
      if (OF_PROMETHEUS.includes(name) || (OF_THE_BUS.test(name) && !hasBus)) continue
      if (!series.has(name)) wrong.push(`${where}: there is no ${name}`)
      else wrong.push(...labels.filter(label => !LABELS_OF_PROMETHEUS.includes(label) && !series.get(name).has(label)).map(label => `${where}: ${name} has no label ${label}`))
    }
  }
  assert.deepEqual([...new Set(wrong)], [])
})

test('the four alerts that operators were promised are there, among others', () => {
  for (const [metric, bound] of [
    ['api_request_duration_count', /> 0\.01\b/],
    ['api_request_duration_bucket', /> 2\b/],
    ['cache_hit_rate', /< 0\.8\b/],
    ['database_pool_in_use', /> 0\.8 \* database_pool_max\b/]
  ]) {
    assert.ok(rules.some(({ expr }) => bound.test(expr) && metricsOf(expr).some(({ name }) => name === metric)), `no alert on ${metric} with ${bound}`)
  }
})

test('each alert says what to do, and is tested', () => {
  const tested = yaml('deploy/prometheus/alerts.test.yaml')[0].tests.flatMap(({ alert_rule_test: tests }) => tests)
  const headings = new Set(Array.from(text('docs/operations.md').matchAll(/^#+ (.*)$/gm), ([, heading]) => heading.toLowerCase().replaceAll(' ', '-')))
  for (const { alert, labels, annotations } of rules) {
    assert.ok(['critical', 'warning'].includes(labels.severity), `${alert} has no severity`)
    assert.deepEqual(Object.keys(annotations).sort(), ['description', 'runbook', 'summary'], alert)
    const [, anchor] = /^docs\/operations\.md#(.+)$/.exec(annotations.runbook) ?? []
    assert.ok(headings.has(anchor), `${alert}: docs/operations.md has no section #${anchor}`)
    assert.ok(tested.some(({ alertname, exp_alerts: expected }) => alertname === alert && expected?.length > 0), `${alert} is not seen to fire in alerts.test.yaml`)
  }
})

test('the dashboard asks its own data source, and no panel stands on another', () => {
  const ids = dashboard.panels.map(({ id }) => id)
  assert.equal(new Set(ids).size, ids.length)
  const taken = new Set()
  for (const { title, datasource, targets = [], gridPos: { x, y, w, h } } of dashboard.panels) {
    for (const source of targets.length > 0 ? [datasource, ...targets.map(target => target.datasource)] : []) {
      assert.deepEqual(source, { type: 'prometheus', uid: '${datasource}' }, title)
    }
    assert.ok(x + w <= 24, title)
    for (let cell = 0; cell < w * h; cell++) {
      const place = `${x + cell % w},${y + Math.floor(cell / w)}`
      assert.ok(!taken.has(place), `"${title}" stands on another panel`)
      taken.add(place)
    }
  }
})
