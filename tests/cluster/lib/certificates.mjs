/** Certificates of an authority of one's own, made with `openssl`. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export class Authority {
  constructor (t) {
    this.folder = mkdtempSync(join(tmpdir(), 'synapti-certificates-'))
    t.after(() => rmSync(this.folder, { recursive: true, force: true }))
    this.openssl('req', '-x509', ...NEW_KEY, '-keyout', this.path('ca.key'), '-out', this.path('ca.crt'), '-days', '2', '-subj', '/CN=An authority for tests')
  }

  /** Its own certificate. */
  get file () {
    return this.path('ca.crt')
  }

  /** What makes `redis-server` speak TLS on `port` with a certificate for these names (`IP:127.0.0.1`, `DNS:example.org`). */
  redisArgs (port, names) {
    const [key, request, extensions, certificate] = ['server.key', 'server.csr', 'server.ext', 'server.crt'].map(name => this.path(`${port}-${name}`))
    writeFileSync(extensions, `subjectAltName=${names}\n`)
    this.openssl('req', ...NEW_KEY, '-keyout', key, '-out', request, '-subj', '/CN=redis')
    this.openssl('x509', '-req', '-in', request, '-CA', this.file, '-CAkey', this.path('ca.key'), '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', certificate)
    return ['--tls-port', `${port}`, '--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', this.file, '--tls-auth-clients', 'no']
  }

  path (name) {
    return join(this.folder, name)
  }

  openssl (...args) {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  }
}
