// What the page says of itself. Each function is called by name, and answers with text.

const digest = async (bytes) => {
  const sum = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
};

const loaded = async () => {
  const data = await fetch('../data.json');
  return {
    heading: getComputedStyle(document.querySelector('h1')).color,
    pictures: [...document.images].map((image) => `${image.complete} ${image.naturalWidth}`).join(', '),
    data: `${data.status} ${await digest(await data.arrayBuffer())}`,
  };
};

// What was loaded whole, and then in parts, which the browser asks for with what it remembers of the whole.
const inParts = async (path) => {
  const facts = {};
  for (const time of ['first', 'again']) {
    const response = await fetch(path);
    facts[`whole, ${time}`] = `${response.status} ${await digest(await response.arrayBuffer())}`;
    for (const range of ['bytes=10-19', 'bytes=1000-200000', 'bytes=-100']) {
      const part = await fetch(path, { headers: { range } });
      facts[`${range}, ${time}`] = `${part.status} ${await digest(await part.arrayBuffer())}`;
    }
    for (const cache of ['no-cache', 'reload', 'no-store', 'force-cache']) {
      const anew = await fetch(path, { cache });
      facts[`${cache}, ${time}`] = `${anew.status} ${await digest(await anew.arrayBuffer())}`;
    }
  }
  return facts;
};

const left = async (path) => {
  const leaving = new AbortController();
  const response = await fetch(path, { signal: leaving.signal });
  await response.body.getReader().read();
  leaving.abort();
  const again = await fetch(path);
  return { left: `${response.status}`, whole: `${again.status} ${await digest(await again.arrayBuffer())}` };
};

const echoed = () => new Promise((resolve) => {
  const sent = [...Array.from({ length: 100 }, (_, n) => `message ${n}`), 'x'.repeat(1 << 20)];
  const socket = new WebSocket(`ws://${location.host}/echo`);
  let exact = 0;
  let back = 0;
  socket.onopen = () => socket.send(sent[0]);
  socket.onmessage = ({ data }) => {
    exact += data === sent[back] ? 1 : 0;
    back += 1;
    if (back < sent.length) socket.send(sent[back]);
    else socket.close(1000, 'done');
  };
  socket.onclose = ({ code, wasClean }) => resolve(`${exact === sent.length ? 'all' : exact} exact, ${code}, ${wasClean}`);
});
