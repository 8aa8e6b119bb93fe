// Rows as JSON, compressed and read back; buffers that many callbacks hold. Argument: how often.
const { createHash } = require('crypto');
const zlib = require('zlib');

const rows = Array.from({ length: 60000 }, (_, i) => ({ id: i, name: 'row' + i, near: [i, i + 1] }));
for (let round = 0; round < +process.argv[2]; round++) {
    const packed = zlib.gzipSync(JSON.stringify(rows), { level: 1 });
    const read = JSON.parse(zlib.gunzipSync(packed));
    console.log(createHash('sha256').update(read[round].name).digest('hex'));
}
Promise.all(Array.from({ length: 60 }, (_, i) =>
    new Promise((done) => zlib.deflate(Buffer.alloc(300000, i), (error, packed) => done(packed.length)))))
    .then((lengths) => console.log(lengths.length));
