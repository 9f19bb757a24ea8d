import { Server } from './lib/server.mjs'
import { Poller } from './lib/poll.mjs'
const hooks=[]; const t={after:h=>hooks.push(h)}
const server = await Server.start(t,{env:{SYNAPTI_LOG:'debug'}})
const a=new Poller(server.http,'m'), b=new Poller(server.http,'m')
await a.poll(); b.doc.getText('t').insert(0,'x'); await b.poll(); await a.poll()
for (const n of [0,1,2]) { const w=a.poll({wait:20}).catch(e=>e.cause?.message); await new Promise(r=>setTimeout(r,300)); b.doc.getText('t').insert(0,'y'); await b.poll(); console.log((await w).status ?? await w) }
console.log(server.lines.filter(l=>/connection|transport/.test(l)).join('\n'))
hooks.reverse().forEach(h=>h()); process.exit(0)
