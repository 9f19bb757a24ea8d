import { Server } from './lib/server.mjs'
import net from 'node:net'
import { readFileSync } from 'node:fs'
const hooks=[]; const t={after:h=>hooks.push(h)}
const N=Number(process.argv[2]??5000), mode=process.argv[3]??'poll'
const server = await Server.start(t,{env:{SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_ROOM:'0'}})
const rss=()=>Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`,'utf8'))[1])
const cursors={}
for(let i=0;i<100;i++){ const r=await fetch(`${server.http}/v1/graphs/m${i}/sync`,{method:'POST'}); cursors[i]=r.headers.get('synapti-cursor') }
await new Promise(r=>setTimeout(r,1000))
const before=rss(); console.log('before',before)
const socks=[]
for(let i=0;i<N;i++){ const s=net.connect(server.port,'127.0.0.1'); socks.push(s); s.on('error',e=>console.log(e.message)); s.on('data',d=>{ if(mode!=='sse'&&!server.saw){server.saw=1;console.log(String(d).slice(0,300))}});
 await new Promise(r=>s.once('connect',r))
 if(mode==='poll') s.write(`POST /v1/graphs/m${i%100}/sync?wait=55&cursor=${cursors[i%100]} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Length: 0\r\n\r\n`)
 if(mode==='sse') s.write(`GET /v1/graphs/m${i%100}/sse HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`)
 if(mode==='ws') s.write(`GET /v1/ws/m${i%100} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`)
}
await new Promise(r=>setTimeout(r,6000))
const after=rss(); const met=await (await fetch(server.http+'/metrics')).text()
console.log(mode,N,'after',after,'KB each',(after-before)/N, met.split('\n').filter(l=>/^synapti_(polls|sse)|^websocket_conn|^synapti_rooms/.test(l)))
hooks.reverse().forEach(h=>h()); process.exit(0)
