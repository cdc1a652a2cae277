import { createServer } from 'node:http'
createServer((q,r)=>{const c=[];q.on('data',d=>c.push(d));q.on('end',()=>{r.writeHead(201,{'content-type':'application/json','content-length':14});r.end('{"accepted":1}')})}).listen(+process.env.PORT,'127.0.0.1')
