// fetch() with ranges, on conditions, left in the middle, and whole after that: fetch.mjs BASE. Prints statuses and digests.
import crypto from 'node:crypto';

const base = process.argv[2];
const facts = {};

const sha256 = (bytes) => crypto.createHash('sha256').update(Buffer.from(bytes)).digest('hex');

async function whole(name, path, init) {
  const response = await fetch(`${base}/${path}`, init);
  facts[name] = `${response.status} ${sha256(await response.arrayBuffer())}`;
  return response;
}

for (const path of ['text.txt', 'big.bin']) {
  for (const time of ['first', 'again']) {
    await whole(`${path} 1000-1999, ${time}`, path, { headers: { range: 'bytes=1000-1999' } });
    await left(path, time);
    const response = await whole(`${path}, ${time}`, path);
    await whole(`${path} on its tag, ${time}`, path, { headers: { 'if-none-match': response.headers.get('etag') } });
    await whole(`${path} on its date, ${time}`, path, { headers: { 'if-modified-since': response.headers.get('last-modified') } });
  }
}
console.log(JSON.stringify(facts));

// Reads one piece and leaves.
async function left(path, time) {
  const leaving = new AbortController();
  const response = await fetch(`${base}/${path}`, { signal: leaving.signal });
  const { value } = await response.body.getReader().read();
  leaving.abort();
  facts[`${path} left, ${time}`] = `${response.status} ${value.length > 0}`;
}
