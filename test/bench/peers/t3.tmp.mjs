import fastify from 'fastify'
const app=fastify();app.removeAllContentTypeParsers();app.addContentTypeParser(['application/json'],{parseAs:'buffer'},(q,b,d)=>d(null,b))
for(let i=0;i<4;i++)app.addHook('onRequest',(q,r,d)=>{d()})
let pend=[],s=false
app.post('/logtrail/logs',async (q,r)=>{const e=JSON.stringify(JSON.parse(q.body.toString()));for(let i=0;i<9;i++)r.header('x-h'+i,'aaaaaaaaaaaa');await new Promise(k=>{pend.push(k);if(!s){s=true;setImmediate(()=>{s=false;const p=pend;pend=[];for(const f of p)f()})}});return r.code(201).type('application/json; charset=utf-8').send('{"accepted":1}')})
app.listen({port:+process.env.PORT,host:'127.0.0.1'})
