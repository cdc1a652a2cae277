import fastify from 'fastify'
const app=fastify();app.removeAllContentTypeParsers();app.addContentTypeParser(['application/json'],{parseAs:'buffer'},(q,b,d)=>d(null,b))
app.post('/logtrail/logs',(q,r)=>{r.code(201).type('application/json; charset=utf-8').send('{"accepted":1}')})
app.listen({port:+process.env.PORT,host:'127.0.0.1'})
