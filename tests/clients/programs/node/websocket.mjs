// Messages to an echo and back, small ones and one of a megabyte: websocket.mjs URL. Prints what came back.
const socket = new WebSocket(process.argv[2]);
socket.binaryType = 'arraybuffer';
const sent = [...Array.from({ length: 100 }, (_, n) => `message ${n}`), new Uint8Array(1 << 20).map((_, n) => (n * 7) % 256)];
const facts = {};
let back = 0;
let exact = 0;

const equal = (got, wanted) => (typeof wanted === 'string'
  ? got === wanted
  : Buffer.compare(Buffer.from(got), Buffer.from(wanted)) === 0);

socket.onopen = () => socket.send(sent[0]);
socket.onmessage = ({ data }) => {
  exact += equal(data, sent[back]) ? 1 : 0;
  back += 1;
  if (back < sent.length) socket.send(sent[back]);
  else socket.close(1000, 'done');
};
socket.onerror = ({ message }) => { facts.error = message ?? 'an error'; };
socket.onclose = ({ code, wasClean }) => {
  facts.messages = exact === sent.length ? 'all exact' : `${exact} of ${sent.length} exact`;
  facts.close = `${code}, ${wasClean ? 'clean' : 'not clean'}`;
  console.log(JSON.stringify(facts));
};
