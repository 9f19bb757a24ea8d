import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import test from 'node:test'
import { Server, binary } from '../../clients/lib/server.mjs'
import { deployed, root, text, variables, yaml } from '../lib/files.mjs'

const compose = yaml('deploy/compose.yaml')[0]
const kustomization = yaml('deploy/kubernetes/kustomization.yaml')[0]
const [deployment] = yaml('deploy/kubernetes/deployment.yaml')
const pod = deployment.spec.template.spec
const version = /^version = "(.*)"$/m.exec(text('Cargo.toml'))[1]
const service = text('deploy/synapti.service')

const nodes = Object.entries(compose.services).filter(([, { image }]) => image.startsWith('synapti:'))

/** Runs a program that may not be on this machine; the test is skipped then. */
const run = (t, program, args, options = {}) => {
  const path = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', cwd: root, env: { ...process.env, PATH: path }, ...options })
  if (error?.code === 'ENOENT') {
    t.skip(`${program} is not installed`)
    return undefined
  }
  assert.equal(error, undefined)
  return { status, output: stdout + stderr, stdout }
}

const folder = t => {
  const path = mkdtempSync(join(tmpdir(), 'synapti-deploy-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const seconds = duration => Number(/^(\d+)s?$/.exec(String(duration))[1])

test('every file of data can be read', () => {
  const data = deployed.filter(path => /\.(ya?ml|json)$/.test(path))
  assert.ok(data.length > 10)
  for (const path of data) {
    if (path.endsWith('.json')) assert.doesNotThrow(() => JSON.parse(text(path)), path)
    else assert.ok(yaml(path).every(document => document !== null && typeof document === 'object'), path)
  }
})

test('every setting that is named is one that the program has', () => {
  const documented = new Set(text('docs/configuration.md').match(/SYNAPTI_[A-Z_]+/g))
  const unknown = deployed.flatMap(path => (text(path).match(/\bSYNAPTI_[A-Z_]+\b/g) ?? []).filter(name => !documented.has(name)).map(name => `${path}: ${name}`))
  assert.deepEqual(unknown, [])
})

/** What the program says of settings; `synapti token` reads all of them and starts nothing. */
const settingsAreTaken = (t, settings) => {
  const { PATH, HOME } = process.env
  const { status, output } = run(t, binary(), ['token', '--sub', 'ada'], { env: { PATH, HOME, ...settings } })
  assert.equal(status, 0, output)
}

const SECRET = 'x'.repeat(44)

test('the program takes the settings of compose.yaml', t => {
  const given = { ...variables('deploy/example.env'), POSTGRES_PASSWORD: 'a1', REDIS_PASSWORD: 'b2', AUTH_SECRET: SECRET }
  assert.equal(nodes.length, 2)
  for (const [, { environment }] of nodes) {
    settingsAreTaken(t, Object.fromEntries(Object.entries(environment).map(([name, value]) =>
      [name, value.replace(/\$\{([A-Z_]+)(?::[-?][^}]*)?\}/g, (_all, variable) => given[variable])])))
  }
})

test('compose.yaml and its example agree on what there is to fill in', () => {
  const used = Array.from(text('deploy/compose.yaml').matchAll(/\$\{([A-Z_]+)/g), ([, name]) => name)
  assert.deepEqual([...new Set(used)].sort(), Object.keys(variables('deploy/example.env')).sort())
})

test('the program takes the settings of the systemd unit', t => {
  settingsAreTaken(t, { ...variables('deploy/synapti.example.env'), SYNAPTI_AUTH_SECRET: SECRET, SYNAPTI_SPILL_FOLDER: '/var/lib/synapti' })
})

test('the program takes the settings of the pods', t => {
  const [{ literals }] = kustomization.configMapGenerator
  const [{ stringData }] = yaml('deploy/kubernetes/secret.example.yaml')
  const plain = Object.fromEntries(literals.map(literal => [literal.slice(0, literal.indexOf('=')), literal.slice(literal.indexOf('=') + 1)]))
  settingsAreTaken(t, { ...plain, ...stringData, SYNAPTI_AUTH_SECRET: SECRET })
})

test('whoever stops a node waits as long as docs/operations.md says', () => {
  const needed = seconds(/`TimeoutStopSec=(\d+)`/.exec(text('docs/operations.md'))[1])
  for (const [name, { stop_grace_period: grace }] of nodes) assert.ok(seconds(grace) >= needed, name)
  assert.ok(seconds(/^TimeoutStopSec=(\d+)$/m.exec(service)[1]) >= needed)
  const [{ lifecycle: { preStop: { exec: { command: [, sleep] } } } }] = pod.containers
  assert.ok(pod.terminationGracePeriodSeconds >= needed + Number(sleep))
})

test('nodes that share a volume are one user, and versions are those of the repository', () => {
  const container = text('deploy/Containerfile')
  const user = Number(/^USER (\d+):\1$/m.exec(container)[1])
  assert.equal(pod.securityContext.runAsUser, user)
  assert.match(container, new RegExp(`--uid ${user} `))
  const [, rust] = /^channel = "(.*)"$/m.exec(text('rust-toolchain.toml'))
  assert.match(container, new RegExp(`^FROM rust:${rust}-`, 'm'))
  assert.match(container, new RegExp(`^ENV RUSTUP_TOOLCHAIN=${rust}$`, 'm'))
  for (const [name, { image }] of nodes) assert.equal(image, `synapti:${version}`, name)
  assert.equal(kustomization.images[0].newTag, version)
})

test('what the container file copies is there, and is sent to the builder', () => {
  const sent = text('.dockerignore').split('\n').filter(line => line.startsWith('!')).map(line => line.slice(1))
  const copied = Array.from(text('deploy/Containerfile').matchAll(/^COPY (?!--from)(.*) \S+$/gm), ([, sources]) => sources.split(' ')).flat()
  assert.ok(copied.length >= 8)
  for (const source of copied) {
    const path = source.replace(/\/$/, '')
    assert.ok(existsSync(join(root, path)), `${path} does not exist`)
    assert.ok(sent.some(allowed => path === allowed || path.startsWith(`${allowed}/`)), `${path} is ignored by .dockerignore`)
  }
})

test('the health check of the image tells a node that may have clients', async t => {
  const node = await Server.start(t)
  const check = path => run(t, join(root, 'deploy/healthcheck'), [path], { env: { PATH: process.env.PATH, SYNAPTI_LISTEN: `0.0.0.0:${node.port}` } })
  assert.equal(check('/ready').status, 0)
  assert.notEqual(check('/nothing').status, 0)
  await node.stop()
  assert.notEqual(check('/ready').status, 0)
})

test('HAProxy takes its configuration', t => {
  const address = '127.0.0.1:1'
  const checked = run(t, 'haproxy', ['-c', '-f', 'deploy/haproxy.cfg'], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin`, BALANCER_BIND: address, NODE1: address, NODE2: address } })
  if (checked === undefined) return
  assert.equal(checked.status, 0, checked.output)
  assert.doesNotMatch(checked.output, /WARNING|ALERT/)
})

test('Prometheus takes the alerts, and they see what they are to see', t => {
  const checked = run(t, 'promtool', ['check', 'rules', 'deploy/prometheus/alerts.yaml'])
  if (checked === undefined) return
  assert.equal(checked.status, 0, checked.output)
  const tested = run(t, 'promtool', ['test', 'rules', 'deploy/prometheus/alerts.test.yaml'])
  assert.equal(tested.status, 0, tested.output)
})

test('Prometheus understands what the dashboard asks', t => {
  const expressions = JSON.parse(text('deploy/grafana/synapti.json')).panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
  const rules = expressions.map((expression, index) => ({ record: `asked:${index}`, expr: expression.replaceAll('$__rate_interval', '1m') }))
  const file = join(folder(t), 'asked.yaml')
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'asked', rules }] }))
  const checked = run(t, 'promtool', ['check', 'rules', file])
  if (checked === undefined) return
  assert.equal(checked.status, 0, checked.output)
})

test('systemd takes the unit', t => {
  const here = folder(t)
  // The program and its user are not on this machine.
  const program = join(here, 'synapti')
  copyFileSync('/bin/true', program)
  chmodSync(program, 0o755)
  const unit = join(here, 'synapti.service')
  writeFileSync(unit, service.replace(/^ExecStart=\S+/m, `ExecStart=${program}`).replace(/^(User|Group)=.*\n/gm, ''))
  const checked = run(t, 'systemd-analyze', ['verify', unit])
  if (checked === undefined) return
  assert.equal(checked.status, 0, checked.output)
  assert.doesNotMatch(checked.output, new RegExp(basename(unit)), 'it has something to say about it')
})

test('Kubernetes\' own tool puts the manifests together', t => {
  const built = run(t, 'kubectl', ['kustomize', 'deploy/kubernetes'])
  if (built === undefined) return
  assert.equal(built.status, 0, built.output)
  for (const kind of ['Deployment', 'Service', 'PodDisruptionBudget', 'Ingress', 'ConfigMap', 'PersistentVolumeClaim']) {
    assert.match(built.stdout, new RegExp(`^kind: ${kind}$`, 'm'))
  }
  assert.doesNotMatch(built.stdout, /kind: Secret/, 'the example of a secret would be applied')
})

test('the pods are asked what nodes answer, and have one selector', async t => {
  const node = await Server.start(t)
  const [container] = pod.containers
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    const { status } = await node.request('GET', container[probe].httpGet.path)
    assert.equal(status, 200, probe)
  }
  for (const path of yaml('deploy/kubernetes/ingress.yaml')[0].spec.rules[0].http.paths.map(({ path }) => path)) {
    assert.doesNotMatch(path, /metrics|health/)
  }
  const { selector } = yaml('deploy/kubernetes/service.yaml')[0].spec
  assert.deepEqual(selector, deployment.spec.template.metadata.labels)
  assert.deepEqual(yaml('deploy/kubernetes/disruption.yaml')[0].spec.selector.matchLabels, selector)
  assert.deepEqual(deployment.spec.selector.matchLabels, selector)
})
